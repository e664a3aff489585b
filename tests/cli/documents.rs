//! JSON documents have the keys that scripts rely on, and text for a person has its parts.

use super::{document, output, stdout};
use serde_json::Value;

/// Panics where one of these keys, apart by blanks, is missing.
fn has(value: &Value, keys: &str) {
    for key in keys.split(' ') {
        assert!(value.get(key).is_some(), "no `{key}` in {value}");
    }
}

const RUN: [&str; 10] = ["run", "rastrigin", "-d", "2", "-n", "500", "--steps", "200", "--device", "cpu"];

#[test]
fn run() {
    let run = document(&[&RUN[..], &["-o", "sgd(lr=[0.002, 1e-3])", "--seed", "1", "--gtol", "1e-3"]].concat());
    has(&run, "schema surface seed restarts steps starts precision device configurations timing");
    assert_eq!(
        (&run["schema"], &run["seed"], &run["restarts"], &run["steps"]),
        (&1.into(), &1.into(), &500.into(), &200.into())
    );
    assert_eq!((&run["starts"], &run["precision"]), (&"uniform".into(), &"f32".into()));
    assert_eq!(run["surface"], serde_json::json!({ "name": "rastrigin", "dim": 2, "minimum": 0.0 }));
    has(&run["device"], "kind name backend driver");
    has(&run["timing"], "compile_s run_s total_s coordinate_steps_per_s");
    let all = run["configurations"].as_array().unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!(
        (&all[0]["optimizer"], &all[0]["hyper"]),
        (&"sgd(lr=0.002)".into(), &serde_json::json!({ "lr": 0.002 }))
    );
    for (id, c) in all.iter().enumerate() {
        has(c, "id optimizer hyper status best value success steps_taken evaluations");
        assert_eq!(c["id"], id);
        has(&c["status"], "converged target stalled max_steps diverged nonfinite");
        let ended: u64 = c["status"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
        assert_eq!(ended, 500);
        has(&c["best"], "value restart x");
        assert_eq!(c["best"]["x"].as_array().unwrap().len(), 2);
        has(&c["value"], "min q05 q25 q50 q75 q95 max mean");
        has(&c["success"], "tolerance count fraction interval");
        has(&c["steps_taken"], "mean max");
    }
}

#[test]
fn a_run_of_many_dimensions_names_its_best_point_and_a_surface_without_a_minimum_has_no_success() {
    let run = document(&["run", "michalewicz", "-d", "7", "-n", "50", "--steps", "20", "--device", "cpu"]);
    assert_eq!(run["surface"]["minimum"], Value::Null);
    assert_eq!(run["configurations"][0]["success"], Value::Null);
    assert_eq!(run["configurations"][0]["best"]["x"].as_array().unwrap().len(), 7);
}

#[test]
fn what_is_not_finite_is_null() {
    let run = document(&["run", "--expr", "log(x[0])", "--box=-2:-1", "-n", "5", "--steps", "3", "--device", "cpu"]);
    let c = &run["configurations"][0];
    assert_eq!((&c["best"], &c["value"], &c["status"]["nonfinite"]), (&Value::Null, &Value::Null, &5.into()));
    let folder = tempfile::tempdir().unwrap();
    let points = folder.path().join("p.csv");
    std::fs::write(&points, "-1\n1\n").unwrap();
    let points = points.to_str().unwrap();
    let eval =
        document(&["eval", "--expr", "log(x[0])", "--box", "1:2", "--points", points, "--gradient", "--device", "cpu"]);
    assert_eq!((&eval["points"][0]["value"], &eval["points"][1]["value"]), (&Value::Null, &0.0.into()));
}

#[test]
fn eval() {
    let folder = tempfile::tempdir().unwrap();
    let (points, out) = (folder.path().join("p.csv"), folder.path().join("o.csv"));
    std::fs::write(&points, "x0,x1\n1,2\n0.5,0\n").unwrap();
    let (points, out) = (points.to_str().unwrap(), out.to_str().unwrap());
    let args = ["eval", "rastrigin", "--points", points, "--gradient", "--hessian", "--precision", "f64", "--out", out];
    let eval = document(&args);
    has(&eval, "surface precision device points");
    let point = &eval["points"][0];
    assert_eq!((&point["x"], &point["value"]), (&serde_json::json!([1.0, 2.0]), &5.0.into()));
    let (gradient, hessian) = (point["gradient"].as_array().unwrap(), point["hessian"].as_array().unwrap());
    assert!((gradient[1].as_f64().unwrap() - 4.0).abs() < 1e-12);
    let curvature = 2.0 + 40.0 * std::f64::consts::PI.powi(2);
    assert!((hessian[0][0].as_f64().unwrap() - curvature).abs() < 1e-9 && hessian[0][1] == 0.0);
    let written = std::fs::read_to_string(out).unwrap();
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!((lines[0], lines.len()), ("x0,x1,value,g0,g1,h0_0,h0_1,h1_0,h1_1", 3));
    assert!(lines[1].starts_with("1.0,2.0,5.0,"));
    // Double precision is shown in full.
    assert!(stdout(&["eval", "branin", "--points", points, "--precision", "f64"]).contains("21.6276353920623"));
}

#[test]
fn list_and_show() {
    let surfaces = document(&["list", "surfaces"]);
    let named = |list: &Value, name: &str| list.as_array().unwrap().iter().find(|e| e["name"] == name).unwrap().clone();
    for entry in surfaces.as_array().unwrap() {
        has(entry, "name summary dim domain minimum options");
    }
    let ackley = named(&surfaces, "ackley");
    assert_eq!((&ackley["dim"], &ackley["options"]["a"]), (&Value::Null, &20.0.into()));
    assert_eq!(named(&surfaces, "branin")["dim"], 2);
    let optimizers = document(&["list", "optimizers"]);
    for entry in optimizers.as_array().unwrap() {
        has(entry, "name kind summary hyper state");
    }
    let adam = named(&optimizers, "adam");
    assert_eq!((&adam["kind"], &adam["hyper"]["beta1"]), (&"rule".into(), &0.9.into()));
    assert_eq!(named(&optimizers, "noise")["kind"], "transform");
    for entry in document(&["list", "devices"]).as_array().unwrap() {
        has(entry, "index name kind backend driver pci limits");
    }
    assert!(stdout(&["list", "surfaces"]).contains("rosenbrock"));
    assert!(stdout(&["show", "trid", "-d", "5"]).contains("minimum -30 at x = (5, 8, 9, 8, 5)"));
    assert!(stdout(&["show", "adam"]).contains("beta2 = 0.999"));
    assert!(stdout(&["show", "sphere", "-d", "2", "-o", "sgd", "--wgsl"]).contains("fn "));
    assert_eq!(document(&["show", "clip-norm"])["kind"], "transform");
}

#[test]
fn check_and_bench() {
    for name in ["rosenbrock", "adam", "clip_norm"] {
        let check = document(&["check", name]);
        assert_eq!(check["ok"], true, "{check}");
        assert!(check["checks"].as_array().unwrap().len() >= 3);
    }
    let bench =
        document(&["bench", "sphere", "-d", "2,3", "-n", "1e3", "--steps", "10", "--repeats", "3", "--devices", "cpu"]);
    let results = bench["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    for row in results {
        has(row, "surface dim restarts optimizer steps device layout compile_s run_s median_s coordinate_steps_per_s");
        assert_eq!(row["run_s"].as_array().unwrap().len(), 3);
        assert_eq!(row["ratio"], Value::Null);
    }
}

#[test]
fn bench_of_several_surfaces_and_devices_with_a_picture() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("speed.svg");
    let path = path.to_str().unwrap();
    let args = ["bench", "sphere,ackley(a=10, b=0.1)", "branin", "-d", "3", "-n", "64,256", "--steps", "5"];
    let more = ["--repeats", "1", "--devices", "cpu,0", "--plot", path];
    let bench = document(&[&args[..], &more].concat());
    let results = bench["results"].as_array().unwrap();
    // Three surfaces, two sizes, and the same device by two names; branin has its own dimension.
    assert_eq!(results.len(), 12);
    assert_eq!(results.iter().filter(|r| r["dim"] == 2).count(), 4);
    assert!(results.iter().step_by(2).all(|r| r["ratio"].is_null()));
    assert!(results.iter().skip(1).step_by(2).all(|r| r["ratio"].as_f64().unwrap() > 0.0));
    let picture = std::fs::read_to_string(path).unwrap();
    assert!(picture.contains("coordinate steps per second") && picture.contains("ackley"), "{picture}");
    let again = output(&[&args[..], &more].concat());
    assert_eq!(again.status.code(), Some(73));
    assert!(stdout(&[&args[..], &more, &["--force"]].concat()).contains("ratio"));
    assert_eq!(output(&["bench", "--plot", "speed.gif"]).status.code(), Some(2));
}

#[test]
fn auto_says_why() {
    let run = ["run", "sphere", "-d", "2", "-n", "100", "--steps", "10", "-v"];
    let said = |gpu: &str, more: &[&str]| {
        let came = super::catchment(&[&run[..], more].concat()).env("CATCHMENT_GPU", gpu).output().unwrap();
        assert!(came.status.success());
        String::from_utf8(came.stderr).unwrap()
    };
    assert!(
        said("auto", &[]).contains("note: auto: cpu, under 1 ms predicted")
            || said("auto", &[]).contains("opening a GPU costs more")
    );
    assert!(said("off", &[]).contains("note: auto: cpu, as CATCHMENT_GPU=off asks"));
    assert!(!said("auto", &["--device", "cpu"]).contains("auto:"));
}

#[test]
fn a_check_that_fails_says_where_and_ends_with_3() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("steps.surf");
    // A staircase: its derivative is 0 everywhere, and no difference quotient finds it so.
    std::fs::write(&path, "# Stairs.\nx[2] in [-1, 1]\nminimum 5 at x = 0\n\nsum(floor(x*1e5))\n").unwrap();
    let output = output(&["check", path.to_str().unwrap()]);
    let (said, found) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    assert_eq!((output.status.code(), said.as_ref()), (Some(3), "error: 2 of 4 checks failed\n"));
    assert!(found.contains("FAILED  gradient") && found.contains("the worst is coordinate"), "{found}");
    assert!(found.contains("FAILED  minimum"), "{found}");
}

#[test]
fn text_is_for_a_person_and_names_the_device() {
    let text = stdout(&[&RUN[..], &["-o", "sgd(lr=0.002)"]].concat());
    for part in [
        "on the CPU",
        "500 restarts × 200 steps",
        "where the restarts went",
        "reached the global minimum 0",
        "coordinate steps",
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    assert!(!text.contains('\u{1b}'));
    assert!(stdout(&[&RUN[..], &["--color", "always"]].concat()).contains('\u{1b}'));
    let quiet = output(&["run", "sphere", "-n", "5", "--steps", "5", "-q", "--device", "cpu"]);
    assert!(quiet.stderr.is_empty());
    let diverged = output(&["run", "sphere", "-d", "2", "-n", "50", "-o", "sgd(lr=1e6)", "--device", "cpu"]);
    assert!(String::from_utf8_lossy(&diverged.stderr).contains("smaller learning rate"));
}

#[test]
fn help_completions_and_the_man_page() {
    for command in ["run", "eval", "list", "show", "check", "bench"] {
        let help = stdout(&[command, "--help"]);
        assert!(help.contains("Examples:") && help.lines().all(|l| l.chars().count() <= 120), "{help}");
    }
    assert!(stdout(&["completions", "bash"]).contains("_catchment"));
    assert!(stdout(&["man"]).contains(".TH catchment"));
}
