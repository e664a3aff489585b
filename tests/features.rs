//! Every exploratory landscape feature against pflacco 1.2.2 (`tests/data/README.md` says how it was run).

#[path = "support/oracle.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod oracle;

use catchment::features::{self, FeatureError, Features, MomentType, Sample, Tour};
use serde_json::Value;

fn cases() -> Vec<(String, Sample, Value)> {
    let data = oracle::data("ela_public.json.gz");
    let case = |c: &Value| {
        let rows = c["X"].as_array().expect("points");
        let x = rows.iter().flat_map(|row| oracle::numbers(row).expect("a point")).collect();
        let dim = c["dim"].as_u64().expect("a dimension") as usize;
        let sample = Sample::new(dim, x, oracle::numbers(&c["y"]).expect("values")).expect("a sample");
        (format!("{} in {dim}", c["function"].as_str().expect("a name")), sample, c["features"].clone())
    };
    data["cases"].as_array().expect("cases").iter().map(case).collect()
}

/// How far a value is from the truth, relative to its size or to 1e-3, whichever is larger.
fn off(got: f64, want: f64) -> f64 {
    let off = (got - want).abs() / want.abs().max(1e-3);
    if off.is_nan() { f64::INFINITY } else { off }
}

/// The features of a tag, as the oracle names it.
fn features_of(sample: &Sample, tag: &str) -> Option<Features> {
    Some(match tag {
        "ela_meta" => features::ela_meta(sample),
        "ela_distr" => features::ela_distr(sample, MomentType::Three),
        "ela_distr_type1" => features::ela_distr(sample, MomentType::One),
        "ela_level" => features::ela_level(sample),
        "nbc" => features::nbc(sample),
        "disp" => features::disp(sample),
        "pca" => features::pca(sample),
        "fdc_prop0.1" => features::fitness_distance(sample, 0.1),
        "fdc_all" => features::fitness_distance(sample, 1.0),
        "ic_nn_start0" => features::ic(sample, Tour::Nearest),
        _ => return None,
    })
}

/// Name, value, truth and error of every feature; panics where a feature of either side is missing.
fn compare(sample: &Sample, truth: &Value) -> Vec<(String, f64, f64, f64)> {
    let mut out = Vec::new();
    for (tag, wanted) in truth.as_object().expect("tags") {
        let Some(found) = features_of(sample, tag) else {
            assert_eq!(tag, "ic_random_20seeds");
            continue;
        };
        let wanted = wanted.as_object().expect("features");
        assert_eq!(found.len(), wanted.len(), "{tag}: {found:?}");
        for (name, got) in found {
            let want = wanted[&name].as_f64().unwrap_or_else(|| panic!("{tag}: {name}"));
            out.push((format!("{tag}: {name}"), got, want, off(got, want)));
        }
    }
    out
}

#[test]
fn all_features_of_all_cases() {
    let (mut compared, mut worst) = (0, (0.0, String::new()));
    let mut failures = Vec::new();
    for (case, sample, truth) in cases() {
        for (name, got, want, off) in compare(&sample, &truth) {
            compared += 1;
            if off > worst.0 {
                worst = (off, format!("{case}: {name}: {got} {want}"));
            }
            if off > 1e-11 {
                failures.push(format!("{case}: {name} is {got}, not {want}: off by {off:e}"));
            }
        }
    }
    println!("{compared} features, the worst off by {:e}: {}", worst.0, worst.1);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(compared, 12 * (9 + 3 + 3 + 9 + 5 + 16 + 8 + 6 + 6 + 5));
}

#[test]
fn the_alarm_rings_for_one_point() {
    let (_, sample, truth) = cases().swap_remove(2);
    let moved = |at: usize| {
        let mut y = sample.y().to_vec();
        y[at] *= 1.0 + 1e-6;
        let x = (0..sample.points()).flat_map(|i| sample.x(i).to_vec()).collect();
        Sample::new(sample.dim(), x, y).expect("a sample")
    };
    let groups = ["ela_meta", "ela_distr:", "pca", "fdc_all", "fdc_prop0.1"];
    let best = (0..sample.points()).min_by(|&a, &b| sample.y()[a].total_cmp(&sample.y()[b])).expect("a point");
    let rung = compare(&moved(best), &truth);
    let largest = (0..sample.points()).max_by(|&a, &b| sample.y()[a].total_cmp(&sample.y()[b])).expect("a point");
    let rung = [rung, compare(&moved(largest), &truth)].concat();
    for group in groups {
        assert!(rung.iter().any(|(name, .., off)| name.starts_with(group) && *off > 1e-11), "{group}");
    }
}

#[test]
fn random_tours_have_the_distribution_of_others() {
    let mut compared = 0;
    for (case, sample, truth) in cases() {
        let tours: Vec<Features> = (0..20).map(|seed| features::ic(&sample, Tour::Random(seed))).collect();
        for (place, (name, _)) in tours[0].iter().enumerate() {
            let want = &truth["ic_random_20seeds"][name];
            let (want, sd) = (want["mean"].as_f64().expect("a mean"), want["sd"].as_f64().expect("a spread"));
            let mean = tours.iter().map(|t| t[place].1).sum::<f64>() / 20.0;
            // Two means of 20 each; the steps of the sensitivities are 0.02 wide.
            let bound = 4.5 * sd * (2.0f64 / 20.0).sqrt() + if name.contains("eps") { 0.02 } else { 0.0 };
            assert!((mean - want).abs() <= bound, "{case}: {name} {mean} {want} {sd}");
            compared += 1;
        }
    }
    assert_eq!(compared, 60);
}

#[test]
fn odd_samples_have_undefined_features_and_no_panic() {
    let grid = |m: usize, n: usize| -> Vec<f64> {
        (0..m * n).map(|i| ((i as f64 + 1.0) * 12.9898).sin() * 43758.5453 % 1.0).collect()
    };
    let of = |dim: usize, x: Vec<f64>, y: Vec<f64>| features::all(&Sample::new(dim, x, y).expect("a sample"));
    let is = |features: &Features, name: &str| features.iter().find(|f| f.0 == name).expect("a feature").1;
    // A constant value.
    let flat = of(2, grid(50, 2), vec![3.0; 50]);
    for name in ["ela_distr.skewness", "ela_level.mmce_lda_10", "ela_meta.lin_simple.adj_r2", "pca.expl_var.cor_init"] {
        assert!(is(&flat, name).is_nan(), "{name}");
    }
    assert_eq!((is(&flat, "ic.h_max"), is(&flat, "ela_meta.lin_simple.intercept")), (0.0, 3.0));
    // The same point again and again, and two places only.
    let point = of(3, [0.5, 1.0, -2.0].repeat(20), (0..20).map(f64::from).collect());
    assert!(is(&point, "ic.h_max").is_nan() && is(&point, "disp.ratio_mean_10").is_nan());
    let twice = of(1, (0..40).map(|i| f64::from(i % 2)).collect(), (0..40).map(f64::from).collect());
    assert!(is(&twice, "ela_meta.lin_simple.adj_r2").is_finite() && is(&twice, "nbc.nn_nb.mean_ratio") == 0.0);
    // Fewer points than a model has columns.
    let few = of(5, grid(12, 5), grid(12, 1));
    assert!(is(&few, "ela_meta.lin_simple.adj_r2").is_finite());
    assert!(is(&few, "ela_meta.quad_w_interact.adj_r2").is_nan() && is(&few, "ela_level.mmce_lda_10").is_nan());
    // A coordinate that repeats another: the model stands, with the shortest coefficients.
    let x: Vec<f64> = grid(60, 1).into_iter().flat_map(|v| [v, v, 2.0]).collect();
    let y = x.chunks(3).map(|p| 1.0 + 3.0 * p[0]).collect();
    let twin = of(3, x, y);
    assert!((is(&twin, "ela_meta.lin_simple.coef.max") - 1.5).abs() < 1e-9, "{twin:?}");
    assert!((is(&twin, "ela_meta.lin_simple.adj_r2") - 1.0).abs() < 1e-12);
    // Numbers that overflow when squared.
    of(2, grid(30, 2).iter().map(|v| v * 1e200).collect(), grid(30, 1).iter().map(|v| v * 1e300).collect());
    of(2, grid(4, 2), grid(4, 1));
    let names: Vec<String> = few.iter().map(|f| f.0.clone()).collect();
    assert_eq!(names.len(), 9 + 3 + 9 + 5 + 16 + 8 + 6 + 5);
    assert!((1..names.len()).all(|i| !names[..i].contains(&names[i])));
}

#[test]
fn mistakes_are_told() {
    let new = |dim: usize, x: Vec<f64>, y: Vec<f64>| Sample::new(dim, x, y).expect_err("a mistake");
    assert!(matches!(new(2, vec![0.0; 7], vec![0.0; 4]), FeatureError::Lengths { .. }));
    assert!(matches!(new(0, vec![], vec![]), FeatureError::Lengths { .. }));
    assert_eq!(new(2, vec![0.0; 6], vec![0.0; 3]), FeatureError::TooFew { points: 3 });
    assert_eq!(new(1, vec![0.0; 20_001], vec![0.0; 20_001]), FeatureError::TooMany { points: 20_001 });
    let mut x = vec![0.0; 8];
    x[5] = f64::INFINITY;
    assert!(new(2, x, vec![0.0; 4]).to_string().starts_with("point 3 has inf for its coordinate"));
    assert!(
        new(1, vec![0.0; 4], vec![0.0, f64::NAN, 0.0, 0.0]).to_string().starts_with("point 2 has NaN for its value")
    );
}
