//! Batched fits against a Levenberg–Marquardt written apart from them, on every engine: values, groups, bits, statuses.

mod support;

use catchment::fit::{
    BatchedFit, BatchedOutcome, BatchedSettings, BatchedStatus, FitColumn, FitRows, MAX_PARAMETERS, Residuals,
    run_batched, stream_batched,
};
use catchment::random::{normal_pair_f64, philox4x32, uniform};
use catchment::{DeviceChoice, Engine, Error, Flow};
use support::reference_fit::minimise;
use support::{engines, gpu, validate};

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}

fn model(model: &str, parameters: &[&str], columns: &[&str]) -> Residuals {
    Residuals::parse(model, "y", &names(parameters), &names(columns)).expect("a model")
}

/// Four words of fit `k`'s stream.
fn words(k: usize, block: u32) -> [u32; 4] {
    philox4x32([k as u32, 0, 7, block], [19, 0])
}

fn noise(k: usize, row: usize) -> f64 {
    let w = words(k, 100 + row as u32);
    normal_pair_f64(w[0], w[1]).0
}

const GAUSSIAN: &str = "a * exp(-((u - u0)^2 + (v - v0)^2) / (2 * s^2)) + b";
const GAUSSIAN_PARAMETERS: [&str; 5] = ["a", "u0", "v0", "s", "b"];

/// Windows of 5 × 5 pixels with one spot each; truth, data, starts.
struct Spots {
    u: Vec<f32>,
    v: Vec<f32>,
    y: Vec<f32>,
    starts: Vec<f32>,
}

fn spot(x: &[f64], u: f64, v: f64) -> f64 {
    x[0] * (-((u - x[1]).powi(2) + (v - x[2]).powi(2)) / (2.0 * x[3] * x[3])).exp() + x[4]
}

fn spots(count: usize) -> Spots {
    let pixel = |k: usize| ((k % 5) as f64, (k / 5) as f64);
    let truth = [500.0, 2.0, 2.0, 1.0, 10.0];
    let mut y = Vec::new();
    let mut starts = vec![0f32; 5 * count];
    for k in 0..count {
        let mut own = truth;
        let w = words(k, 0);
        own[1] += f64::from(uniform(w[0])) - 0.5;
        own[2] += f64::from(uniform(w[1])) - 0.5;
        y.extend((0..25).map(|r| (spot(&own, pixel(r).0, pixel(r).1) + 50.0 * noise(k, r)) as f32));
        let w = [words(k, 1), words(k, 2)].concat();
        for i in 0..5 {
            starts[i * count + k] = (own[i] * (1.0 + 0.2 * (f64::from(uniform(w[i])) - 0.5))) as f32;
        }
    }
    let (u, v) = (0..25).map(|k| (pixel(k).0 as f32, pixel(k).1 as f32)).unzip();
    Spots { u, v, y, starts }
}

fn spots_fit<'a>(residuals: &'a Residuals, spots: &'a Spots) -> BatchedFit<'a> {
    BatchedFit {
        columns: vec![FitColumn::Shared(&spots.u), FitColumn::Shared(&spots.v), FitColumn::Own(&spots.y)],
        ..BatchedFit::new(residuals, FitRows::Equal(25), &spots.starts)
    }
}

/// Decays `a exp(-c t)` of unequal length, each with its own times.
struct Decays {
    lengths: Vec<u32>,
    t: Vec<f32>,
    y: Vec<f32>,
    starts: Vec<f32>,
}

fn decays(count: usize) -> Decays {
    let mut all = Decays { lengths: Vec::new(), t: Vec::new(), y: Vec::new(), starts: vec![0.0; 2 * count] };
    for k in 0..count {
        let w = words(k, 0);
        let rows = 4 + w[0] % 37;
        let (a, c) = (1.0 + f64::from(uniform(w[1])), 0.3 + f64::from(uniform(w[2])));
        all.lengths.push(rows);
        for r in 0..rows as usize {
            let t = 4.0 * (r as f64 + f64::from(uniform(words(k, 50 + r as u32)[0]))) / f64::from(rows);
            all.t.push(t as f32);
            all.y.push((a * (-c * t).exp() + 0.02 * noise(k, r)) as f32);
        }
        all.starts[k] = 1.0;
        all.starts[count + k] = 1.0;
    }
    all
}

fn decays_fit<'a>(residuals: &'a Residuals, decays: &'a Decays) -> BatchedFit<'a> {
    BatchedFit {
        columns: vec![FitColumn::Own(&decays.t), FitColumn::Own(&decays.y)],
        ..BatchedFit::new(residuals, FitRows::Lengths(&decays.lengths), &decays.starts)
    }
}

#[test]
fn decays_of_unequal_length_agree_with_the_reference() {
    let residuals = model("a * exp(-c * t)", &["a", "c"], &["t", "y"]);
    let decays = decays(300);
    for backend in engines() {
        let outcome = run_batched(&decays_fit(&residuals, &decays), &backend.engine).expect("runs");
        let (mut first, mut worst) = (0, 0.0f64);
        for (k, &rows) in decays.lengths.iter().enumerate() {
            let rows = first..first + rows as usize;
            first = rows.end;
            let data: Vec<(f64, f64)> = rows.map(|r| (f64::from(decays.t[r]), f64::from(decays.y[r]))).collect();
            let best = minimise(&[1.0, 1.0], |x| data.iter().map(|&(t, y)| x[0] * (-x[1] * t).exp() - y).collect());
            assert_eq!(outcome.status[k], BatchedStatus::Converged, "{} fit {k}", backend.name);
            for (got, want) in outcome.fit(k).iter().zip(&best.x) {
                worst = worst.max((f64::from(*got) - want).abs() / want.abs());
            }
            let rss = f64::from(outcome.rss[k]);
            assert!((rss - best.rss).abs() <= 1e-4 * best.rss, "{} fit {k}: {rss}, not {}", backend.name, best.rss);
        }
        println!("{}: decays, worst relative difference {worst:.1e}", backend.name);
        assert!(worst < 5e-5, "{}: {worst:e}", backend.name);
    }
}

#[test]
fn spots_agree_with_the_reference() {
    let residuals = model(GAUSSIAN, &GAUSSIAN_PARAMETERS, &["u", "v", "y"]);
    let spots = spots(400);
    for backend in engines() {
        let outcome = run_batched(&spots_fit(&residuals, &spots), &backend.engine).expect("runs");
        let (mut compared, mut worst) = (0, 0.0f64);
        for k in 0..400 {
            let start: Vec<f64> = (0..5).map(|i| f64::from(spots.starts[i * 400 + k])).collect();
            let best = minimise(&start, |x| {
                (0..25)
                    .map(|r| spot(x, f64::from(spots.u[r]), f64::from(spots.v[r])) - f64::from(spots.y[25 * k + r]))
                    .collect()
            });
            assert_eq!(outcome.status[k], BatchedStatus::Converged, "{} fit {k}", backend.name);
            // In units of the standard error, which the noise of 50 sets.
            let got: Vec<f64> = outcome.fit(k).iter().map(|&v| f64::from(v)).collect();
            for (i, &error) in best.errors.iter().enumerate() {
                worst = worst.max((got[i] - best.x[i]).abs() / error);
            }
            compared += 1;
        }
        println!("{}: {compared} spots, worst difference {worst:.1e} standard errors", backend.name);
        assert!(worst < 1e-2, "{}: {worst:e}", backend.name);
    }
}

/// All bits of an outcome.
fn bits(outcome: &BatchedOutcome) -> Vec<u32> {
    let floats = outcome.parameters.iter().chain(&outcome.rss).map(|v| v.to_bits());
    floats.chain(outcome.iterations.iter().copied()).chain(outcome.status.iter().map(|&s| s as u32)).collect()
}

#[test]
fn chunks_threads_and_neighbours_change_no_bit() {
    let residuals = model("a * exp(-c * t)", &["a", "c"], &["t", "y"]);
    let decays = decays(517);
    let gaussian = model(GAUSSIAN, &GAUSSIAN_PARAMETERS, &["u", "v", "y"]);
    let spots = spots(1030);
    for backend in engines() {
        for whole in [decays_fit(&residuals, &decays), spots_fit(&gaussian, &spots)] {
            let reference = run_batched(&whole, &backend.engine).expect("runs");
            for chunk in [1, 63, 64, 200].into_iter().skip(usize::from(backend.name == "gpu")) {
                let cut = BatchedFit { chunk: Some(chunk), ..whole.clone() };
                let outcome = run_batched(&cut, &backend.engine).expect("runs");
                assert!(bits(&outcome) == bits(&reference), "{} chunk {chunk}", backend.name);
            }
        }
    }
    let fit = spots_fit(&gaussian, &spots);
    let runs = [1, 2, 5].map(|threads| Engine::open(&DeviceChoice::Cpu, threads).expect("a CPU"));
    let runs = runs.map(|engine| bits(&run_batched(&fit, &engine).expect("runs")));
    assert!(runs[0] == runs[1] && runs[0] == runs[2]);
    // A fit alone is the fit among others.
    let alone: Vec<f32> = (0..5).map(|i| spots.starts[i * 1030 + 77]).collect();
    let mut one = spots_fit(&gaussian, &spots);
    (one.starts, one.columns[2]) = (&alone, FitColumn::Own(&spots.y[25 * 77..25 * 78]));
    for backend in engines() {
        let (one, all) = (run_batched(&one, &backend.engine), run_batched(&fit, &backend.engine));
        let (one, all) = (one.expect("runs"), all.expect("runs"));
        assert_eq!((one.fit(0), one.rss[0], one.iterations[0]), (all.fit(77), all.rss[77], all.iterations[77]));
    }
}

#[test]
fn the_gpu_agrees_with_the_cpu() {
    let Some(gpu) = gpu() else { return };
    let gaussian = model(GAUSSIAN, &GAUSSIAN_PARAMETERS, &["u", "v", "y"]);
    let spots = spots(2000);
    let fit = spots_fit(&gaussian, &spots);
    let (a, b) = (run_batched(&fit, &gpu.engine), run_batched(&fit, &Engine::cpu()));
    let (a, b) = (a.expect("runs"), b.expect("runs"));
    // Both stop where single precision sees no better sum of squares: a few thousandths of a standard error apart, which
    // here are these.
    let errors = [40.0, 0.08, 0.08, 0.1, 25.0];
    let mut worst = [0f32; 5];
    for (i, worst) in worst.iter_mut().enumerate() {
        let pairs = a.parameter(i).iter().zip(b.parameter(i));
        *worst = pairs.map(|(x, y)| (x - y).abs() / errors[i]).fold(0.0, f32::max);
    }
    let ends = a.status.iter().zip(&b.status).filter(|(x, y)| x != y).count();
    println!("GPU and CPU differ by {worst:?} standard errors at most, and in {ends} statuses");
    assert!(worst.iter().all(|&w| w < 1e-2) && ends <= 2);
}

#[test]
fn restarts_share_one_table() {
    let residuals = model("a * sin(w * t)", &["a", "w"], &["t", "y"]);
    let t: Vec<f32> = (0..200).map(|k| 0.05 * k as f32).collect();
    let y: Vec<f32> = t.iter().map(|t| 2.0 * (1.7 * t).sin()).collect();
    let count = 150;
    let starts: Vec<f32> =
        (0..2 * count).map(|k| if k < count { 1.0 } else { 0.03 * (k - count + 1) as f32 }).collect();
    let fit = BatchedFit {
        columns: vec![FitColumn::Shared(&t), FitColumn::Shared(&y)],
        ..BatchedFit::new(&residuals, FitRows::Equal(200), &starts)
    };
    for backend in engines() {
        let outcome = run_batched(&fit, &backend.engine).expect("runs");
        let best = (0..count).min_by(|&a, &b| outcome.rss[a].total_cmp(&outcome.rss[b])).expect("fits");
        let x = outcome.fit(best);
        assert!((x[0].abs() - 2.0).abs() < 1e-4 && (x[1].abs() - 1.7).abs() < 1e-4, "{}: {x:?}", backend.name);
        let found = outcome.rss.iter().filter(|&&r| r < 1e-3).count();
        assert!((20..140).contains(&found), "{}: {found} starts lead to the frequency", backend.name);
    }
}

#[test]
fn roots_weight_the_rows() {
    // A row of weight 4 counts as much as the row four times.
    let residuals = model("a * exp(-c * t)", &["a", "c"], &["t", "y"]);
    let (t, y, roots) = ([0.0f32, 0.5, 1.0, 2.0], [1.0f32, 0.8, 0.3, 0.2], [1.0f32, 2.0, 1.0, 0.0]);
    let (t_again, y_again) = ([0.0f32, 0.5, 0.5, 0.5, 0.5, 1.0], [1.0f32, 0.8, 0.8, 0.8, 0.8, 0.3]);
    let weighted = BatchedFit {
        columns: vec![FitColumn::Shared(&t), FitColumn::Own(&y)],
        roots: Some(FitColumn::Own(&roots)),
        ..BatchedFit::new(&residuals, FitRows::Equal(4), &[1.0, 1.0])
    };
    let repeated = BatchedFit {
        columns: vec![FitColumn::Own(&t_again), FitColumn::Shared(&y_again)],
        ..BatchedFit::new(&residuals, FitRows::Equal(6), &[1.0, 1.0])
    };
    for backend in engines() {
        let (a, b) = (run_batched(&weighted, &backend.engine), run_batched(&repeated, &backend.engine));
        let (a, b) = (a.expect("runs"), b.expect("runs"));
        assert!((a.rss[0] - b.rss[0]).abs() < 1e-5 * b.rss[0], "{}", backend.name);
        for (x, y) in a.parameters.iter().zip(&b.parameters) {
            assert!((x - y).abs() < 1e-4, "{}: {x} and {y}", backend.name);
        }
    }
}

#[test]
fn what_cannot_be_fitted_has_a_status() {
    let t = [0.0f32, 1.0, 2.0, 3.0];
    let y = [1.0f32, 2.0, 2.5, 4.0];
    let run = |engine: &Engine, text: &str, starts: &[f32], rows: usize| {
        let residuals = model(text, &["a", "b"], &["t", "y"]);
        let fit = BatchedFit {
            columns: vec![FitColumn::Shared(&t[..rows]), FitColumn::Shared(&y[..rows])],
            ..BatchedFit::new(&residuals, FitRows::Equal(rows), starts)
        };
        run_batched(&fit, engine).expect("a status, not an error")
    };
    for backend in engines() {
        let row = |text: &str, starts: &[f32], rows| run(&backend.engine, text, starts, rows);
        // Only the sum is determined; b has no influence; fewer rows than parameters; none.
        for (text, rows) in [("(a + b) * t", 4), ("a * t + 0 * b", 4), ("a * t + b", 1), ("a * t + b", 0)] {
            let outcome = row(text, &[0.5, 0.25], rows);
            assert_eq!(outcome.status, [BatchedStatus::Singular], "{} {text}", backend.name);
            assert!(outcome.parameters.iter().all(|v| v.is_finite()));
        }
        // The sum of squares is still the least one: Σ t y = 19, Σ t² = 14.
        assert!((row("(a + b) * t", &[0.5, 0.25], 4).fit(0).iter().sum::<f32>() - 19.0 / 14.0).abs() < 1e-5);
        for text in ["a * log(-1 - t) + b", "a / t + b", "exp(a * 1000) + b * t", "sqrt(a - 2) + b * t"] {
            let outcome = row(text, &[0.5, 0.25], 4);
            assert_eq!(outcome.status, [BatchedStatus::Nonfinite], "{} {text}", backend.name);
            assert!(outcome.rss[0].is_nan() && outcome.fit(0) == [0.5, 0.25]);
        }
        let outcome = row("a * t + b", &[f32::NAN, 0.5, 0.25, 0.25], 4);
        assert_eq!(outcome.status, [BatchedStatus::Nonfinite, BatchedStatus::Converged], "{}", backend.name);
    }
}

#[test]
fn bounds_hold_and_bind() {
    let residuals = model("a * t + b", &["a", "b"], &["t", "y"]);
    let t: Vec<f32> = (0..8).map(|k| k as f32).collect();
    let y: Vec<f32> = t.iter().map(|t| 3.0 * t - 2.0).collect();
    let fit = |bounds: Vec<[f32; 2]>| BatchedFit {
        columns: vec![FitColumn::Shared(&t), FitColumn::Shared(&y)],
        bounds,
        ..BatchedFit::new(&residuals, FitRows::Equal(8), &[5.0, 1.0])
    };
    for backend in engines() {
        // b may not be below 0: the best a is then Σ t y / Σ t² = 364 / 140.
        let outcome = run_batched(&fit(vec![[f32::NEG_INFINITY, 4.0], [0.0, 9.0]]), &backend.engine).expect("runs");
        assert_eq!((outcome.status[0], outcome.fit(0)[1]), (BatchedStatus::Converged, 0.0), "{}", backend.name);
        assert!((outcome.fit(0)[0] - 2.6).abs() < 1e-5, "{}: {:?}", backend.name, outcome.fit(0));
        // A box that is a point, and one that does not bind.
        let outcome = run_batched(&fit(vec![[1.0, 1.0], [2.0, 2.0]]), &backend.engine).expect("runs");
        assert_eq!(outcome.fit(0), [1.0, 2.0]);
        let outcome = run_batched(&fit(vec![[-9.0, 9.0], [-9.0, 9.0]]), &backend.engine).expect("runs");
        assert!((outcome.fit(0)[0] - 3.0).abs() < 1e-5 && (outcome.fit(0)[1] + 2.0).abs() < 1e-4);
    }
}

#[test]
fn most_parameters_and_the_iteration_limit() {
    let list: Vec<String> = (0..=MAX_PARAMETERS).map(|i| format!("p{i}")).collect();
    let polynomial = |n: usize| (0..n).map(|i| format!("p{i} * cos({i} * t)")).collect::<Vec<_>>().join(" + ");
    let (n, rows) = (MAX_PARAMETERS, 40);
    let t: Vec<f32> = (0..rows).map(|k| 3.1 * k as f32 / rows as f32).collect();
    let y: Vec<f32> = t.iter().map(|t| (0..n).map(|i| (i as f32 - 4.0) * (i as f32 * t).cos()).sum()).collect();
    let starts = vec![0.5f32; (n + 1) * 3];
    for backend in engines() {
        let run = |n: usize, max_iterations| {
            let residuals = Residuals::parse(&polynomial(n), "y", &list[..n], &names(&["t", "y"])).expect("a model");
            let fit = BatchedFit {
                columns: vec![FitColumn::Shared(&t), FitColumn::Shared(&y)],
                settings: BatchedSettings { max_iterations, ..BatchedSettings::default() },
                ..BatchedFit::new(&residuals, FitRows::Equal(rows), &starts[..3 * n])
            };
            run_batched(&fit, &backend.engine)
        };
        let outcome = run(n, 50).expect("runs");
        assert_eq!(outcome.status, [BatchedStatus::Converged; 3], "{}", backend.name);
        for (i, got) in outcome.fit(2).into_iter().enumerate() {
            assert!((got - (i as f32 - 4.0)).abs() < 1e-3, "{} p{i} = {got}", backend.name);
        }
        let outcome = run(2, 1).expect("runs");
        assert_eq!((outcome.status[0], outcome.iterations[0]), (BatchedStatus::MaxIterations, 1));
        assert!(matches!(run(n + 1, 50), Err(Error::Setting { .. })));
    }
}

#[test]
fn mistakes_are_typed_errors_and_a_run_can_be_stopped() {
    let residuals = model("a * t", &["a"], &["t", "y"]);
    let columns = vec![FitColumn::Shared(&[1.0, 2.0]), FitColumn::Own(&[1.0, 2.0, 3.0, 4.0])];
    let good = BatchedFit { columns, ..BatchedFit::new(&residuals, FitRows::Equal(2), &[0.0, 0.0]) };
    let cpu = Engine::cpu();
    assert!(run_batched(&good, &cpu).is_ok());
    let setting = |fit: BatchedFit<'_>| assert!(matches!(run_batched(&fit, &cpu), Err(Error::Setting { .. })));
    setting(BatchedFit { bounds: vec![[0.0, 1.0]; 2], ..good.clone() });
    setting(BatchedFit { bounds: vec![[1.0, 0.0]], ..good.clone() });
    setting(BatchedFit { bounds: vec![[f32::NAN, 0.0]], ..good.clone() });
    setting(BatchedFit { rows: FitRows::Lengths(&[2]), ..good.clone() });
    setting(BatchedFit { chunk: Some(0), ..good.clone() });
    setting(BatchedFit { columns: good.columns[..1].to_vec(), ..good.clone() });
    let settings = |max_iterations, tolerance| BatchedSettings { max_iterations, tolerance };
    setting(BatchedFit { settings: settings(0, 1e-6), ..good.clone() });
    setting(BatchedFit { settings: settings(9, f32::NAN), ..good.clone() });
    let short = BatchedFit { rows: FitRows::Lengths(&[2, 1]), ..good.clone() };
    assert!(matches!(run_batched(&short, &cpu), Err(Error::ColumnLength { values: 4, expected: 3, .. })));
    let none = BatchedFit { columns: vec![FitColumn::Shared(&[1.0, 2.0]), FitColumn::Own(&[])], starts: &[], ..good };
    for backend in engines() {
        assert!(run_batched(&none, &backend.engine).expect("nothing to do").status.is_empty());
    }
    let gaussian = model(GAUSSIAN, &GAUSSIAN_PARAMETERS, &["u", "v", "y"]);
    let spots = spots(60_000);
    let mut told = 0;
    let stopped = stream_batched(&BatchedFit { chunk: Some(256), ..spots_fit(&gaussian, &spots) }, &cpu, |_| {
        told += 1;
        Flow::Stop
    });
    assert!(matches!(stopped, Err(Error::Cancelled)) || told == 0, "stopped after {told} tellings");
}

#[test]
fn shaders_validate_for_every_number_of_parameters() {
    let list: Vec<String> = (0..MAX_PARAMETERS).map(|i| format!("p{i}")).collect();
    for n in 1..=MAX_PARAMETERS {
        let text = list[..n].iter().map(|p| format!("{p} * exp(-{p} * t)")).collect::<Vec<_>>().join(" + ");
        let residuals = Residuals::parse(&text, "y", &list[..n], &names(&["t", "y"])).expect("a model");
        for columns in [[FitColumn::Shared(&[]), FitColumn::Own(&[])], [FitColumn::Own(&[]), FitColumn::Own(&[])]] {
            let fit = BatchedFit { columns: columns.to_vec(), ..BatchedFit::new(&residuals, FitRows::Equal(0), &[]) };
            let text = catchment::fit_wgsl(&fit).expect("prints");
            validate(&text).unwrap_or_else(|error| panic!("{n} parameters: {error}"));
            assert!(!text.contains("exp(-p"), "no text of a formula reaches the shader");
        }
    }
}
