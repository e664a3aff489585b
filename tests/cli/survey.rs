//! `catchment survey`: documents, files, pictures, and what a user gets wrong.

use super::mistakes::mistake;
use super::{document, output, stdout};
use std::path::Path;

const SURVEY: [&str; 10] = ["survey", "rastrigin", "-d", "2", "-n", "3000", "--seed", "1", "--device", "cpu"];

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

#[test]
fn documents() {
    let survey = document(&[&SURVEY[..], &["--features", "--hessians", "200"]].concat());
    for key in
        ["schema", "surface", "samples", "value", "gradient_norm", "flat_fraction", "index_given_value", "features"]
    {
        assert!(survey.get(key).is_some(), "{key}");
    }
    assert_eq!((&survey["samples"], &survey["feature_points"]), (&3000.into(), &3000.into()));
    for key in ["min", "q05", "q25", "q50", "q75", "q95", "max", "mean"] {
        assert!(survey["value"][key].is_f64() && survey["gradient_norm"][key].is_f64(), "{key}");
    }
    assert_eq!(survey["features"].as_object().unwrap().len(), 61);
    assert!(survey["features"]["ela_distr.skewness"].as_f64().unwrap().abs() < 0.2);
    let bent = &survey["index_given_value"];
    assert_eq!((&bent["hessians"], bent["deciles"].as_array().unwrap().len()), (&200.into(), 10));
    assert_eq!(bent["index"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum::<u64>(), 200);
    assert!(bent["correlation"].as_f64().unwrap() > 0.3);
    let again = document(&[&SURVEY[..], &["--features", "--hessians", "200", "--threads", "1"]].concat());
    assert_eq!(
        (&survey["value"], &survey["features"], bent),
        (&again["value"], &again["features"], &again["index_given_value"])
    );
    let none = document(&[&SURVEY[..], &["--hessians", "0", "--walks", "0"]].concat());
    assert!(none["index_given_value"].is_null() && none["walks"].is_null() && none.get("features").is_none());
}

#[test]
fn a_sample_that_was_written_has_the_same_features() {
    let folder = tempfile::tempdir().unwrap();
    let (points, out) = (path(folder.path(), "points.csv"), path(folder.path(), "again.csv"));
    // In double precision, whose shortest text reads back to the same bits.
    let survey = document(&[&SURVEY[..], &["--features", "--precision", "f64", "--out", &points]].concat());
    let read = document(&["survey", "--points", &points, "--features", "--out", &out]);
    assert_eq!((&read["samples"], &read["dim"]), (&3000.into(), &2.into()));
    assert_eq!(read["features"], survey["features"]);
    assert_eq!(std::fs::read_to_string(&out).unwrap().lines().count(), 62);
    let plain = path(folder.path(), "plain.csv");
    std::fs::write(&plain, "a,y\n0,0\n1,1\n2,4\n3,9\n4,16\n").unwrap();
    let read = document(&["survey", "--points", &plain]);
    assert_eq!((&read["dim"], &read["features"]["ela_level.mmce_lda_10"]), (&1.into(), &serde_json::Value::Null));
    assert!(stdout(&["survey", "--points", &plain]).contains("not defined"));
}

#[test]
fn random_matrices() {
    let goe = document(&["survey", "goe", "-d", "3", "-n", "1e5", "--seed", "2"]);
    let all = &goe["p_all_positive"];
    let share = all["fraction"].as_f64().unwrap();
    assert!((share - 0.024920920960723483).abs() < 0.0025, "{share}");
    assert_eq!((&all["naive"], goe["index"].as_array().unwrap().len()), (&0.125.into(), 4));
    assert!((all["exact"].as_f64().unwrap() - 0.024920920960723483).abs() < 1e-15);
    let text = stdout(&["survey", "goe", "-d", "12", "-n", "1e3"]);
    assert!(text.contains("no exact value") && text.contains("coins"), "{text}");
}

#[test]
fn text_and_pictures() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["survey.png", "survey.svg"] {
        let plot = path(folder.path(), name);
        let text = stdout(&[&SURVEY[..], &["--plot", &plot]].concat());
        for part in ["gradient norm", "flat:", "random walks", "negative eigenvalues", "Values stay alike"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let bytes = std::fs::read(&plot).unwrap();
        assert!(bytes.len() > 10_000);
        if name.ends_with("svg") {
            let svg = String::from_utf8(bytes).unwrap();
            for part in ["gradient norm", "Index against value", "Eigenvalues of the Hessians", "autocorrelation"] {
                assert!(svg.contains(part), "{part}");
            }
            assert!(!svg.contains("NaN"));
        }
    }
    let plot = path(folder.path(), "goe.svg");
    stdout(&["survey", "goe", "-d", "4", "-n", "1e4", "--plot", &plot]);
    assert!(std::fs::read_to_string(&plot).unwrap().contains("semicircle"));
    // Nothing finite, constant, and many dimensions make pictures too.
    for (formula, domain, dim) in [("log(x[0])", "-2:-1", "1"), ("0*x[0]", "0:1", "2"), ("sum(x)", "0:1", "40")] {
        let plot = path(folder.path(), "odd.png");
        let args = ["survey", "--expr", formula, &format!("--box={domain}"), "-d", dim, "-n", "100", "--device", "cpu"];
        stdout(&[&args[..], &["--plot", &plot, "--force"]].concat());
    }
}

#[test]
fn what_the_user_should_know() {
    let said = |args: &[&str]| String::from_utf8(output(args).stderr).unwrap();
    let args =
        ["survey", "--expr", "floor(x[0]) + abs(x[1])", "--box", "0:1", "-d", "2", "-n", "100", "--device", "cpu"];
    assert!(said(&args).contains("the formula has"));
    let text = stdout(&["survey", "--expr", "log(x[0])", "--box=-1:1", "-n", "1000", "--device", "cpu"]);
    assert!(text.contains("infinite or not a number"), "{text}");
    let text = stdout(&["survey", "sphere", "-d", "33", "-n", "100", "--device", "cpu"]);
    assert!(text.contains("ends of the Hessians' spectra at 100 points, by Lanczos"), "{text}");
}

#[test]
fn mistakes() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = path(folder.path(), name);
        std::fs::write(&path, content).unwrap();
        path
    };
    mistake(2, &["survey"]);
    mistake(2, &["survey", "sphere", "-n", "1"]);
    mistake(2, &["survey", "sphere", "--walk-step", "0"]);
    mistake(2, &["survey", "sphere", "--walk-step", "nan"]);
    mistake(2, &["survey", "sphere", "--hessians", "1e12"]);
    mistake(2, &["survey", "sphere", "--starts", "sobl"]);
    mistake(2, &["survey", "sphere", "--plot", "a.gif"]);
    mistake(2, &["survey", "sphere", "--points", "a.csv"]);
    assert!(mistake(2, &["survey", "goe"]).contains("-d 2"));
    mistake(2, &["survey", "goe", "-d", "0"]);
    mistake(2, &["survey", "goe", "-d", "1e9"]);
    mistake(2, &["survey", "goe", "-d", "3", "-n", "1"]);
    assert!(mistake(2, &["survey", "goe", "-d", "3", "--features"]).contains("--features"));
    mistake(65, &["survey", "sphere", "-n", "3", "--features", "--device", "cpu"]);
    mistake(66, &["survey", "--points", "no/such.csv"]);
    assert!(mistake(65, &["survey", "--points", &file("a.csv", "x0,x1\n1,2\n2,3\n")]).contains("`y`"));
    mistake(65, &["survey", "--points", &file("b.csv", "y\n1\n2\n3\n4\n5\n")]);
    mistake(65, &["survey", "--points", &file("c.csv", "x0,y\n1,2\n2,3\n")]);
    mistake(65, &["survey", "--points", &file("d.csv", "x0,y\n1,2\n2,3\n3,nan\n4,5\n5,6\n")]);
    let taken = file("taken.csv", "");
    mistake(73, &["survey", "sphere", "-n", "10", "--out", &taken]);
    mistake(2, &["survey", "sphere", "--out", "a.png", "--plot", "a.png"]);
}

#[test]
fn critical_points_and_saddles() {
    let found = document(&["survey", "himmelblau", "-n", "100", "--stationary", "--escape", "--device", "cpu"]);
    let points = found["stationary_points"].as_array().unwrap();
    let of = |kind: &str| points.iter().filter(|p| p["kind"] == kind && p["inside"] == true).count();
    assert_eq!((of("minimum"), of("saddle"), of("maximum")), (4, 4, 1));
    assert!(points.iter().all(|p| p["gradient_norm"].as_f64().unwrap() < 1e-9));
    let escape = found["escape"].as_array().unwrap();
    assert_eq!(escape.len(), 4 * 3, "four saddles, three optimizers");
    assert!(escape.iter().all(|e| e["left"].as_u64().unwrap() > 980 && e["steps_q50"].as_u64().unwrap() > 1));
    let plain = document(&["survey", "himmelblau", "-n", "100", "--device", "cpu"]);
    assert!(plain.get("stationary_points").is_none() && plain.get("escape").is_none());
}
