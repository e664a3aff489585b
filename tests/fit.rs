//! Fits against closed forms, against scipy and statsmodels, and against themselves.

use catchment::fit::{Basins, Fit, FitError, Fitted, Loss, Residuals, Standing, Stop};
use catchment::random::Domain;

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|n| (*n).to_owned()).collect()
}

fn model(text: &str, parameters: &[&str]) -> Residuals {
    Residuals::parse(text, "y", &names(parameters), &names(&["t", "y"])).expect("a model")
}

fn values(fitted: &Fitted) -> Vec<f64> {
    fitted.parameters.iter().map(|p| p.value).collect()
}

fn errors(fitted: &Fitted) -> Vec<f64> {
    fitted.parameters.iter().map(|p| p.standard_error.expect("a standard error")).collect()
}

fn assert_near(got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len());
    for (g, w) in got.iter().zip(want) {
        assert!((g - w).abs() <= tolerance * w.abs().max(1e-300), "{got:?} where {want:?} belongs");
    }
}

const T: [f64; 12] = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5];
/// An exponential decay with two rows far off.
const Y: [f64; 12] = [5.1, 3.9, 3.2, 2.35, 9.0, 1.7, 1.1, 1.05, 0.75, -4.0, 0.52, 0.35];

#[test]
fn a_straight_line_has_its_closed_form() {
    let fitted = Fit::new(&model("a + b*t", &["a", "b"]), &[&T, &Y]).start(&[0.0, 0.0]).run().unwrap();
    let n = T.len() as f64;
    let (mt, my) = (T.iter().sum::<f64>() / n, Y.iter().sum::<f64>() / n);
    let stt: f64 = T.iter().map(|t| (t - mt).powi(2)).sum();
    let sty: f64 = T.iter().zip(&Y).map(|(t, y)| (t - mt) * (y - my)).sum();
    let syy: f64 = Y.iter().map(|y| (y - my).powi(2)).sum();
    let b = sty / stt;
    let a = my - b * mt;
    let rss = syy - b * sty;
    let sd = (rss / (n - 2.0)).sqrt();
    assert_near(&values(&fitted), &[a, b], 1e-13);
    assert_near(&errors(&fitted), &[sd * (1.0 / n + mt * mt / stt).sqrt(), sd / stt.sqrt()], 1e-12);
    assert_near(&[fitted.rss, fitted.residual_sd.unwrap(), fitted.r2.unwrap()], &[rss, sd, 1.0 - rss / syy], 1e-12);
    let correlation = -mt / (stt / n + mt * mt).sqrt();
    assert_near(&[fitted.correlation[0][1].unwrap(), fitted.correlation[1][1].unwrap()], &[correlation, 1.0], 1e-12);
    assert_eq!((fitted.dof, fitted.rank, fitted.rows, fitted.starts), (10, 2, 12, 1));
    assert_eq!(fitted.stops, [(Stop::Converged, 1)]);
}

/// scipy 1.17.1, `least_squares(…, loss, f_scale=0.2, jac, x_scale='jac')` with tolerances of 1e-15; its cost doubled.
#[test]
fn robust_losses_are_those_of_scipy() {
    let model = model("a*exp(-k*t)", &["a", "k"]);
    for (loss, a, k, cost) in [
        (Loss::Squared, 5.622997802481541, 0.4204420477318755, 68.61792728421582),
        (Loss::Huber(0.2), 5.061112891823398, 0.47193658193209953, 4.654313193250674),
        (Loss::SoftL1(0.2), 5.067215244856748, 0.471540201745071, 4.570534370199583),
        (Loss::Cauchy(0.2), 5.051012177873664, 0.47366097341613145, 0.6030168103545709),
    ] {
        let fitted = Fit::new(&model, &[&T, &Y]).loss(loss).start(&[4.5, 0.6]).run().unwrap();
        assert_near(&values(&fitted), &[a, k], 2e-8);
        assert_near(&[fitted.cost], &[cost], 1e-12);
        assert_eq!(fitted.stops, [(Stop::Converged, 1)], "{loss}");
        let rss: f64 = T.iter().zip(&Y).map(|(t, y)| (a * (-k * t).exp() - y).powi(2)).sum();
        assert_near(&[fitted.rss], &[rss], 1e-7);
    }
}

/// statsmodels 0.15.0, `RLM(y, [1, t], M=HuberT(1.345)).fit(update_scale=False, cov='H1')`, which took the scale below.
#[test]
fn robust_standard_errors_are_those_of_statsmodels() {
    let scale = 1.260160046491354;
    let line = model("a + b*t", &["a", "b"]);
    let fitted = Fit::new(&line, &[&T, &Y]).loss(Loss::Huber(1.345 * scale)).start(&[0.0, 0.0]).run().unwrap();
    assert_near(&values(&fitted), &[4.473288481319813, -0.9325616910640803], 1e-8);
    assert_near(&errors(&fitted), &[0.6337211820702958, 0.1951837168266549], 1e-8);
}

/// scipy 1.17.1, `least_squares(…, bounds=([0, 0.7], [10, 2]))`.
#[test]
fn bounds_hold_and_a_parameter_at_one_has_no_standard_error() {
    let model = model("a*exp(-k*t)", &["a", "k"]);
    for start in [[4.5, 0.8], [-3.0, 5.0], [9.0, 0.7]] {
        let fit = Fit::new(&model, &[&T, &Y]).bounds(vec![0.0, 0.7], vec![10.0, 2.0]).start(&start);
        let fitted = fit.run().unwrap();
        assert_eq!(fitted.parameters[1].value, 0.7);
        assert_near(&[fitted.parameters[0].value], &[6.49407943464501], 1e-8);
        assert_eq!((fitted.parameters[1].standing, fitted.parameters[1].standard_error), (Standing::AtLower, None));
        assert!(fitted.parameters[0].standard_error.is_some() && fitted.correlation[0][1].is_none());
        assert_eq!(fitted.stops, [(Stop::Converged, 1)]);
    }
    // Bounds that do not bind change nothing.
    let free = Fit::new(&model, &[&T, &Y]).start(&[4.5, 0.6]).run().unwrap();
    let boxes = Domain { lo: vec![0.1, 1e-3], hi: vec![100.0, 5.0], log: vec![true, true] };
    let bound = Fit::new(&model, &[&T, &Y]).boxes(boxes).bounded().restarts(20).run().unwrap();
    assert_near(&values(&bound), &values(&free), 1e-11);
    assert_near(&errors(&bound), &errors(&free), 1e-9);
    assert_eq!(bound.solutions.iter().map(|s| s.hits).sum::<u64>(), 20);
}

#[test]
fn a_fixed_parameter_stays_and_the_others_are_fitted_as_without_it() {
    let fixed = Fit::new(&model("a*exp(-k*t) + c", &["a", "k", "c"]), &[&T, &Y])
        .fix("c", 0.25)
        .start(&[4.5, 0.6, 9.0])
        .run()
        .unwrap();
    let without = Fit::new(&model("a*exp(-k*t) + 0.25", &["a", "k"]), &[&T, &Y]).start(&[4.5, 0.6]).run().unwrap();
    assert_near(&values(&fixed)[..2], &values(&without), 1e-12);
    assert_eq!((fixed.parameters[2].value, fixed.parameters[2].standing), (0.25, Standing::Fixed));
    assert_eq!(fixed.parameters[2].standard_error, None);
    for j in 0..2 {
        let (a, b) = (fixed.parameters[j].standard_error.unwrap(), without.parameters[j].standard_error.unwrap());
        assert_near(&[a], &[b], 1e-10);
    }
    assert_eq!(fixed.dof, without.dof);
}

#[test]
fn a_weight_is_so_many_equal_rows() {
    let model = model("a*exp(-k*t)", &["a", "k"]);
    let weights = [1.0, 2.0, 3.0, 1.0, 0.0, 1.0, 2.0, 1.0, 5.0, 0.0, 1.0, 1.0];
    let repeated = |values: &[f64]| -> Vec<f64> {
        values.iter().zip(&weights).flat_map(|(&v, &w)| std::iter::repeat_n(v, w as usize)).collect()
    };
    let (t, y) = (repeated(&T), repeated(&Y));
    for loss in [Loss::Squared, Loss::Huber(1e6)] {
        let weighted = Fit::new(&model, &[&T, &Y]).weights(&weights).loss(loss).start(&[4.0, 1.0]).run().unwrap();
        let many = Fit::new(&model, &[&t, &y]).loss(loss).start(&[4.0, 1.0]).run().unwrap();
        assert_near(&values(&weighted), &values(&many), 1e-11);
        assert_near(&[weighted.rss, weighted.r2.unwrap()], &[many.rss, many.r2.unwrap()], 1e-11);
        // A weight says how precise a row is, not how many there were: only the degrees of freedom differ.
        assert_eq!((weighted.rows, weighted.dof, many.dof), (10, 8, t.len() - 2));
        let scale = (many.dof as f64 / weighted.dof as f64).sqrt();
        let scaled: Vec<f64> = errors(&many).iter().map(|s| s * scale).collect();
        assert_near(&errors(&weighted), &scaled, if loss == Loss::Squared { 1e-9 } else { 1e-5 });
    }
}

#[test]
fn what_the_data_do_not_determine_has_no_standard_error() {
    // `u` is not used, and only the sum of `b` and `c` is.
    let model = model("a*t + (b + c) + 0*u", &["a", "b", "c", "u"]);
    let fitted = Fit::new(&model, &[&T, &Y]).start(&[1.0, 2.0, 3.0, 4.0]).run().unwrap();
    let standings: Vec<Standing> = fitted.parameters.iter().map(|p| p.standing).collect();
    use Standing::{Free, Undetermined};
    assert_eq!(standings, [Free, Undetermined, Undetermined, Undetermined]);
    assert_eq!((fitted.rank, fitted.condition), (2, f64::INFINITY));
    assert_eq!(fitted.parameters[3].value, 4.0);
    let has: Vec<bool> = fitted.parameters.iter().map(|p| p.standard_error.is_some()).collect();
    assert_eq!(has, [true, false, false, false]);
    assert_eq!(fitted.stops, [(Stop::Converged, 1)]);
}

#[test]
fn as_many_rows_as_parameters_fit_but_tell_no_noise() {
    let line = model("a + b*t", &["a", "b"]);
    let fitted = Fit::new(&line, &[&T[..2], &Y[..2]]).start(&[0.0, 0.0]).run().unwrap();
    assert_near(&values(&fitted), &[5.1, -2.4], 1e-13);
    assert_eq!((fitted.dof, fitted.residual_sd, fitted.parameters[0].standard_error), (0, None, None));
    let error = Fit::new(&line, &[&T[..1], &Y[..1]]).start(&[0.0, 0.0]).run().unwrap_err().to_string();
    assert_eq!(error, "1 rows cannot determine 2 parameters");
}

#[test]
fn mistakes_are_named() {
    let line = model("a + b*t", &["a", "b"]);
    let of = |fit: Fit<'_>| match fit.run() {
        Err(catchment::Error::Fit(error)) => error,
        other => panic!("{other:?}"),
    };
    let bad = [f64::NAN; 12];
    let fit = || Fit::new(&line, &[&T, &Y]).start(&[0.0, 0.0]);
    assert!(matches!(of(Fit::new(&line, &[&T])), FitError::Columns { expected: 2, got: 1 }));
    assert!(matches!(of(Fit::new(&line, &[&T, &Y[..3]])), FitError::Ragged { expected: 12, got: 3, .. }));
    assert!(matches!(of(Fit::new(&line, &[&T, &bad])), FitError::NotFinite { row: 1, .. }));
    assert!(matches!(of(fit().weights(&bad)), FitError::Weight { row: 1, .. }));
    assert!(matches!(of(fit().weights(&T[..2])), FitError::Ragged { .. }));
    assert!(matches!(of(fit().start(&[1.0])), FitError::Dimension { expected: 2, got: 1, .. }));
    assert!(matches!(of(fit().start(&[1.0, f64::INFINITY])), FitError::Start { .. }));
    assert!(matches!(of(fit().fix("c", 0.0)), FitError::UnknownParameter { .. }));
    assert!(matches!(of(fit().bounds(vec![1.0, 0.0], vec![0.0, 1.0])), FitError::Bounds { .. }));
    assert!(matches!(of(fit().loss(Loss::Huber(-1.0))), FitError::Loss { .. }));
    assert!(matches!(of(Fit::new(&line, &[&T, &Y])), FitError::NoStarts));
    assert!(matches!(of(fit().restarts(10)), FitError::NoStarts));
    let hopeless = model("log(-1 - a^2) + b*t", &["a", "b"]);
    let error = of(Fit::new(&hopeless, &[&T, &Y]).start(&[0.0, 0.0]));
    assert_eq!(error, FitError::NoFiniteStart { starts: 1 });
}

/// Two frequencies, of which the data know one well: several minima.
fn waves() -> (Residuals, Vec<f64>, Vec<f64>, Domain) {
    let t: Vec<f64> = (0..60).map(|i| f64::from(i) * 0.1).collect();
    let y = t.iter().enumerate().map(|(i, t)| (3.0 * t).sin() + 0.1 * ((i * i) as f64).sin()).collect();
    let boxes = Domain { lo: vec![0.1, 0.5], hi: vec![3.0, 12.0], log: vec![false, true] };
    (model("a*sin(w*t)", &["a", "w"]), t, y, boxes)
}

#[test]
fn restarts_find_the_minima_and_count_them() {
    let (model, t, y, boxes) = waves();
    let fitted = Fit::new(&model, &[&t, &y]).boxes(boxes).restarts(300).seed(5).run().unwrap();
    assert!((fitted.parameters[1].value - 3.0).abs() < 0.02);
    assert!(fitted.solutions.len() > 3 && fitted.solutions.len() < 60, "{}", fitted.solutions.len());
    assert!(fitted.solutions.is_sorted_by(|a, b| a.cost <= b.cost * (1.0 + 1e-7)));
    assert!(fitted.solutions[0].hits > 20, "{:?}", fitted.solutions[0]);
    let hits: u64 = fitted.solutions.iter().map(|s| s.hits).sum();
    assert!(hits <= 300 && hits >= fitted.stops[0].1);
    for s in &fitted.solutions {
        // A descent from a solution stays there.
        let again = Fit::new(&model, &[&t, &y]).start(&s.parameters).run().unwrap();
        assert_near(&[again.rss], &[s.rss], 1e-12);
        assert_eq!(s.fraction, s.hits as f64 / 300.0);
    }
}

#[test]
fn neither_threads_nor_the_number_of_restarts_change_a_result() {
    let (model, t, y, boxes) = waves();
    let fit = |threads, restarts| {
        let fit = Fit::new(&model, &[&t, &y]).boxes(boxes.clone()).restarts(restarts).seed(5).threads(threads);
        fit.run().unwrap()
    };
    let (one, many) = (fit(1, 200), fit(5, 200));
    assert_eq!(one.solutions, many.solutions);
    assert_eq!((&one.parameters, &one.stops, one.iterations), (&many.parameters, &many.stops, many.iterations));
    // The first restarts of many are those of few.
    let few = fit(2, 50);
    let reached =
        |f: &Fitted| f.solutions.iter().filter(|s| s.first_start < 50).map(|s| s.first_start).collect::<Vec<_>>();
    assert_eq!(reached(&few), reached(&one));
}

#[test]
fn a_long_table_is_fitted_the_same_by_any_number_of_threads() {
    let rows = 50_000;
    let t: Vec<f64> = (0..rows).map(|i| 5.0 * f64::from(i) / f64::from(rows)).collect();
    let y: Vec<f64> =
        t.iter().enumerate().map(|(i, t)| 3.0 * (-0.8 * t).exp() + 0.1 * ((i * i) as f64).sin()).collect();
    let model = model("a*exp(-k*t) + c", &["a", "k", "c"]);
    let fit = |threads| Fit::new(&model, &[&t, &y]).start(&[1.0, 0.1, 0.5]).threads(threads).run().unwrap();
    let (one, three) = (fit(1), fit(3));
    assert_eq!(one.parameters, three.parameters);
    assert_eq!(one.rss.to_bits(), three.rss.to_bits());
    assert_near(&values(&one)[..2], &[3.0, 0.8], 0.01);
}

#[test]
fn groups_are_fits_of_their_own() {
    let count = 40;
    let (mut t, mut y, mut groups, mut weights) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for i in 0..30 * count {
        let (g, row) = (i % count, i / count);
        // Group 7 has two rows only, group 11 none.
        if g == 11 || (g == 7 && row > 1) {
            continue;
        }
        let time = 0.2 * f64::from(row);
        let rate = 0.3 + 0.02 * f64::from(g);
        t.push(time);
        y.push((2.0 + 0.1 * f64::from(g)) * (-rate * time).exp() + 0.02 * f64::from(i * i).sin());
        groups.push(g as u32);
        weights.push(1.0 + f64::from(i % 3));
    }
    let model = model("a*exp(-k*t) + c", &["a", "k", "c"]);
    let boxes = Domain { lo: vec![0.1, 0.05, -1.0], hi: vec![10.0, 5.0, 1.0], log: vec![true, true, false] };
    fn fit<'a>(model: &'a Residuals, columns: &[&'a [f64]], weights: &'a [f64], boxes: &Domain) -> Fit<'a> {
        Fit::new(model, columns).weights(weights).boxes(boxes.clone()).restarts(3).start(&[1.0, 1.0, 0.0])
    }
    let all = fit(&model, &[&t, &y], &weights, &boxes).run_groups(&groups).unwrap();
    let again = fit(&model, &[&t, &y], &weights, &boxes).threads(3).run_groups(&groups).unwrap();
    // As text, because NaN is not equal to itself.
    assert!(format!("{all:?}") == format!("{again:?}"));
    assert_eq!(all.rss.len(), count as usize);
    for g in 0..count as usize {
        let pick = |column: &[f64]| -> Vec<f64> {
            column.iter().zip(&groups).filter(|c| *c.1 == g as u32).map(|c| *c.0).collect()
        };
        let (t, y, w) = (pick(&t), pick(&y), pick(&weights));
        if g == 7 || g == 11 {
            assert_eq!((all.stops[g], all.rows[g]), (Stop::TooFewRows, t.len() as u64));
            assert!(all.parameters[0][g].is_nan() && all.rss[g].is_nan());
            continue;
        }
        let alone = fit(&model, &[&t, &y], &w, &boxes).run().unwrap();
        assert_eq!((all.stops[g], all.rows[g]), (Stop::Converged, 30));
        let column = |columns: &[Vec<f64>]| columns.iter().map(|c| c[g]).collect::<Vec<f64>>();
        assert_near(&column(&all.parameters), &values(&alone), 1e-9);
        assert_near(&column(&all.standard_errors), &errors(&alone), 1e-7);
        assert_near(&[all.rss[g], all.residual_sd[g]], &[alone.rss, alone.residual_sd.unwrap()], 1e-11);
    }
    let outside = fit(&model, &[&t, &y], &weights, &boxes).run_groups(&vec![u32::MAX; t.len()]);
    assert!(matches!(outside, Err(catchment::Error::Fit(FitError::Group { row: 1, .. }))));
}

#[test]
fn robust_fits_are_those_that_fifty_digits_confirm() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/fit_reference.json");
    let document: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let list = |v: &serde_json::Value| v.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect::<Vec<_>>();
    let mut compared = 0;
    for case in document["models"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let parameters: Vec<String> =
            case["parameters"].as_array().unwrap().iter().map(|p| p.as_str().unwrap().to_owned()).collect();
        let columns = case["columns"].as_object().unwrap();
        let known: Vec<String> = columns.keys().cloned().collect();
        let numbers: Vec<Vec<f64>> = columns.values().map(list).collect();
        let views: Vec<&[f64]> = numbers.iter().map(|c| &c[..]).collect();
        let residuals = Residuals::parse(case["model"].as_str().unwrap(), "y", &parameters, &known).unwrap();
        let ends: Vec<Vec<f64>> = case["box"].as_array().unwrap().iter().map(list).collect();
        let boxes = Domain {
            lo: ends.iter().map(|e| e[0]).collect(),
            hi: ends.iter().map(|e| e[1]).collect(),
            log: vec![false; ends.len()],
        };
        let weights = case["weights"].as_str().map(|name| list(&columns[name]));
        let scale = case["f_scale"].as_f64().unwrap();
        for fit in case["fits"].as_array().unwrap() {
            let loss = match fit["loss"].as_str().unwrap() {
                "huber" => Loss::Huber(scale),
                "soft_l1" => Loss::SoftL1(scale),
                "cauchy" => Loss::Cauchy(scale),
                _ => Loss::Squared,
            };
            // The reference's minimum from nearby; from afar there may be a lower one, such as a peak on an outlier.
            let want = list(&fit["parameters"]);
            let near: Vec<f64> = want.iter().map(|v| 0.999 * v).collect();
            let mut ours = Fit::new(&residuals, &views).boxes(boxes.clone()).start(&near).loss(loss);
            if let Some(weights) = &weights {
                ours = ours.weights(weights);
            }
            if case["bounded"].as_bool().unwrap() {
                ours = ours.bounded();
            }
            let fitted = ours.run().unwrap();
            let cost = fit["cost"].as_f64().unwrap();
            let off = 0.5 * fitted.cost / cost - 1.0;
            assert!(off.abs() < 1e-12, "{name} {loss}: cost {} for {cost}", 0.5 * fitted.cost);
            assert_near(&values(&fitted), &want, 1e-9);
            let anywhere = ours.restarts(200).run().unwrap();
            assert!(anywhere.cost <= fitted.cost * (1.0 + 1e-12), "{name} {loss}: {} from afar", anywhere.cost);
            compared += 1;
        }
    }
    assert_eq!(compared, 12);
}

/// Noise between -1 and 1.
fn noise(i: usize) -> f64 {
    let word = (i as u32 + 1).wrapping_mul(0x9e37_79b9);
    f64::from((word ^ (word >> 15)).wrapping_mul(0x85eb_ca6b) >> 8) / 8_388_608.0 - 1.0
}

#[test]
fn scouted_groups_are_fitted_as_all_starts_fit_them() {
    let model = model("a*exp(-k*t) + c", &["a", "k", "c"]);
    let (groups, rows) = (150usize, 15usize);
    let t: Vec<f64> = (0..groups * rows).map(|i| (i % rows) as f64 * 0.4).collect();
    let truth = |g: usize| (1.0 + (g % 7) as f64, 0.3 + 0.1 * (g % 11) as f64, 0.2);
    let y: Vec<f64> = (0..groups * rows)
        .map(|i| {
            let (a, k, c) = truth(i / rows);
            a * (-k * t[i]).exp() + c + 0.01 * noise(i)
        })
        .collect();
    let keys: Vec<u32> = (0..groups * rows).map(|i| (i / rows) as u32).collect();
    let boxes = Domain { lo: vec![0.0, 1e-2, -1.0], hi: vec![20.0, 10.0, 1.0], log: vec![false, true, false] };
    let columns = [&t[..], &y[..]];
    let fit = Fit::new(&model, &columns).boxes(boxes).restarts(10);
    let exact = fit.run_groups(&keys).unwrap();
    let scouted = fit.run_groups_on(&keys, &catchment::Engine::cpu()).unwrap();
    assert!(exact.scouted.is_none() && scouted.scouted.is_some());
    for g in 0..groups {
        assert!(scouted.rss[g] <= exact.rss[g] * (1.0 + 1e-9), "group {g}: {} for {}", scouted.rss[g], exact.rss[g]);
        for j in 0..3 {
            let (s, e) = (scouted.parameters[j][g], exact.parameters[j][g]);
            assert!((s - e).abs() <= 1e-7 * e.abs().max(1e-3), "group {g} parameter {j}: {s} for {e}");
            let (s, e) = (scouted.standard_errors[j][g], exact.standard_errors[j][g]);
            assert!((s - e).abs() <= 1e-5 * e, "group {g} error {j}: {s} for {e}");
        }
    }
}

#[test]
fn descents_find_starts_that_lead_to_the_minimum() {
    let model = model("a*exp(-k*t) + c", &["a", "k", "c"]);
    let boxes = Domain { lo: vec![0.0, 1e-2, 0.5], hi: vec![20.0, 10.0, 0.5], log: vec![false, true, false] };
    let columns = [&T[..], &Y[..]];
    let weights: Vec<f64> = (0..T.len()).map(|i| 1.0 + (i % 3) as f64).collect();
    for loss in [Loss::Squared, Loss::Huber(0.5), Loss::Cauchy(0.5), Loss::SoftL1(0.5)] {
        let surface = model.surface(&columns, Some(&weights), loss, &boxes).unwrap();
        // The surface is the mean cost in units of the observations' mean square.
        let (z, unit) = ([0.25, 0.5, 0.0], Y.iter().map(|y| y * y).sum::<f64>());
        let (a, k) = (5.0, 1e-2 * (1000f64.ln() * 0.5).exp());
        let cost = |i: usize| loss.cost(weights[i].sqrt() * (a * (-k * T[i]).exp() + 0.5 - Y[i]));
        let want = (0..T.len()).map(cost).sum::<f64>() / unit;
        let got = surface.evaluate(&z).0;
        assert!((got / want - 1.0).abs() < 1e-12, "{loss}: {got} for {want}");
        let basins = Basins { restarts: 20, ..Basins::default() };
        let ends = basins.find(&surface, &boxes, &catchment::Engine::cpu()).unwrap();
        let later = Basins { restarts: 5, first: 15, ..Basins::default() };
        assert_eq!(
            ends[15..],
            later.find(&surface, &boxes, &catchment::Engine::cpu()).unwrap()[..],
            "restarts are numbered"
        );
        assert!(ends.iter().all(|x| (0..3).all(|j| boxes.lo[j] <= x[j] && x[j] <= boxes.hi[j])));
        let fit = Fit::new(&model, &columns).weights(&weights).loss(loss).fix("c", 0.5);
        let from_ends = fit.clone().starts(ends).run().unwrap();
        let from_boxes = fit.boxes(boxes.clone()).restarts(100).run().unwrap();
        assert!(from_ends.cost <= from_boxes.cost * (1.0 + 1e-9), "{loss}: {} for {}", from_ends.cost, from_boxes.cost);
    }
    let two = Basins { optimizer: "sgd(lr=[0.1, 0.2])".to_owned(), ..Basins::default() };
    let surface = model.surface(&columns, None, Loss::Squared, &boxes).unwrap();
    assert!(matches!(two.find(&surface, &boxes, &catchment::Engine::cpu()), Err(catchment::Error::Setting { .. })));
}

#[test]
fn a_valley_of_equal_fits_is_one_solution() {
    let model = model("a*b*exp(-k*t)", &["a", "b", "k"]);
    let boxes = Domain { lo: vec![0.1, 0.1, 1e-2], hi: vec![10.0, 10.0, 10.0], log: vec![false, false, true] };
    let fitted = Fit::new(&model, &[&T, &Y]).boxes(boxes).restarts(60).run().unwrap();
    assert_eq!(fitted.parameters[0].standing, Standing::Undetermined);
    assert_eq!(fitted.parameters[2].standing, Standing::Free);
    let best = &fitted.solutions[0];
    assert!(fitted.solutions.iter().skip(1).all(|s| s.cost > best.cost * (1.0 + 1e-8)), "{:?}", fitted.solutions);
    assert!(best.hits >= 30, "{} of 60 starts", best.hits);
}
