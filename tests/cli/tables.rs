//! Surfaces over tables: `--data`, `--bind`, `--matrix`, `--batch`, `--epochs`, and what is told of tables that do not fit.

use super::{document, output, stdout};
use std::fs;
use tempfile::TempDir;

const DECAY: &str = "\
# Exponential decay, least squares.
a in [0, 10];  k in [1e-2, 10] log
data t, y

mean_rows((a*exp(-k*t) - y)^2)
";

struct Files {
    dir: TempDir,
}

impl Files {
    fn new() -> Files {
        let files = Files { dir: tempfile::tempdir().unwrap() };
        files.write("decay.surf", DECAY);
        let rows: String =
            (0..40).map(|i| format!("{0},{1},x\n", f64::from(i) / 10.0, 2.0 * (-f64::from(i) / 20.0).exp())).collect();
        files.write("decay.csv", &format!("t,y,note\n{rows}"));
        files.write("other.csv", &format!("time,conc,note\n{rows}"));
        files
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.path().join(name), text).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }
}

#[test]
fn a_surface_descends_over_a_table() {
    let files = Files::new();
    let (surface, table, other) = (files.path("decay.surf"), files.path("decay.csv"), files.path("other.csv"));
    let common = ["-n", "200", "-o", "adam(lr=0.05)", "--steps", "800"];
    let run = document(&[&["run", &surface, "--data", &table], &common[..]].concat());
    let best = &run["configurations"][0]["best"];
    assert!(best["value"].as_f64().unwrap() < 1e-6, "{best}");
    assert!((best["x"][0].as_f64().unwrap() - 2.0).abs() < 1e-2 && (best["x"][1].as_f64().unwrap() - 0.5).abs() < 1e-2);
    assert_eq!(run["data"], serde_json::json!({"rows": 40, "columns": 2, "batch": null, "replacement": false}));
    let bound =
        document(&[&["run", &surface, "--data", &other, "--bind", "t=time", "--bind", "y=conc"], &common[..]].concat());
    assert_eq!(run["configurations"][0]["best"], bound["configurations"][0]["best"]);
}

#[test]
fn batches_and_epochs() {
    let files = Files::new();
    let (surface, table) = (files.path("decay.surf"), files.path("decay.csv"));
    let run = |more: &[&str]| document(&[&["run", &surface, "--data", &table, "-n", "64", "-o", "sgd"], more].concat());
    let all = run(&["--steps", "20"]);
    assert_eq!(all["configurations"], run(&["--steps", "20", "--batch", "all"])["configurations"]);
    assert_eq!(all["configurations"], run(&["--epochs", "20"])["configurations"]);
    let some = run(&["--epochs", "3", "--batch", "7"]);
    assert_eq!(some["steps"], 18, "3 × 40 rows by 7, rounded up");
    assert_eq!(some["data"]["batch"], 7);
    assert_ne!(some["configurations"], run(&["--epochs", "3", "--batch", "7", "--replacement"])["configurations"]);
}

#[test]
fn networks_train_and_show_their_formula() {
    let files = Files::new();
    let rows: String = (0..30)
        .map(|i| format!("{},{},{}\n", (i % 7) as f64 / 7.0, (i % 5) as f64 / 5.0, if i % 3 == 0 { 1 } else { -1 }))
        .collect();
    files.write("moons.csv", &format!("u1,u2,y\n{rows}"));
    let network = "mlp(layers=[2, 3, 1], activation=tanh, loss=logistic)";
    let run = document(&["run", network, "--data", &files.path("moons.csv"), "-n", "20", "--steps", "50"]);
    assert_eq!(run["surface"]["dim"], 13);
    let shown = stdout(&["show", network]);
    assert!(shown.contains("p = W2 @ h1 + b2") && shown.contains("softplus(-y*p[0])"), "{shown}");
    assert_eq!(output(&["check", network]).status.code(), Some(0));
}

#[test]
fn matrices_come_from_files() {
    let files = Files::new();
    files.write("turned.surf", "x[2] in [-5, 5]\nmatrix R[2, 2]\nminimum 0 at x = 0\n\nsum((R @ x)^2)\n");
    files.write("r.csv", "0.6,0.8\n-0.8,0.6\n");
    files.write("wide.csv", "1,2,3\n4,5,6\n");
    let (surface, r, wide) = (files.path("turned.surf"), files.path("r.csv"), files.path("wide.csv"));
    let run =
        document(&["run", &surface, "--matrix", &format!("R={r}"), "-o", "sgd(lr=0.1)", "-n", "50", "--steps", "200"]);
    assert_eq!(run["configurations"][0]["success"]["fraction"], 1.0);
    for (arguments, code, told) in [
        (vec![], 2, "needs the matrix `R`"),
        (vec![format!("R={wide}")], 65, "declared 2 × 2, and 2 × 3 is given"),
        (vec![format!("Q={r}")], 2, "no matrix `Q`"),
        (vec!["R".to_owned()], 2, "NAME=FILE"),
    ] {
        let mut all = vec!["run".to_owned(), surface.clone()];
        all.extend(arguments.iter().flat_map(|a| ["--matrix".to_owned(), a.clone()]));
        fails(&all.iter().map(String::as_str).collect::<Vec<_>>(), code, told);
    }
}

fn fails(arguments: &[&str], code: i32, told: &str) {
    let output = output(arguments);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    assert!(text.contains(told), "{arguments:?}: {told:?} is not in {text}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
}

#[test]
fn bad_tables_are_told() {
    let files = Files::new();
    for (name, text) in [
        ("missing.csv", "t,z\n1,2\n"),
        ("text.csv", "t,y\n1,2\n3,four\n"),
        ("nan.csv", "t,y\n1,nan\n"),
        ("empty.csv", "t,y\n"),
        ("nothing.csv", ""),
        ("ragged.csv", "t,y\n1,2\n3\n"),
    ] {
        files.write(name, text);
    }
    let surface = files.path("decay.surf");
    let out = files.path("ends.csv");
    for (table, code, told) in [
        ("missing.csv", 65, "`y`"),
        ("text.csv", 65, "four"),
        ("nan.csv", 65, "nan"),
        ("empty.csv", 65, "row"),
        ("nothing.csv", 65, "nothing.csv"),
        ("ragged.csv", 65, "line 3"),
        ("absent.csv", 66, "absent.csv"),
    ] {
        fails(&["run", &surface, "--data", &files.path(table), "--out", &out], code, told);
        assert!(!fs::exists(&out).unwrap(), "{table}: nothing half-written");
    }
    let table = files.path("decay.csv");
    fails(&["run", &surface], 2, "--data FILE");
    fails(&["run", &surface, "--data", &table, "--batch", "41"], 2, "a batch of 41 rows from a table of 40");
    fails(&["run", &surface, "--data", &table, "--batch", "0"], 2, "a batch of 0 rows");
    fails(&["run", &surface, "--data", &table, "--bind", "x=t"], 2, "no data `x`");
    fails(&["run", &surface, "--data", &table, "--bind", "t=y,t"], 2, "takes 1 columns");
    fails(&["run", &surface, "--data", &table, "--epochs", "0"], 2, "epochs");
    fails(&["run", "sphere", "-d", "2", "--data", &table], 2, "no `data`");
    fails(&["run", "sphere", "-d", "2", "--batch", "3"], 2, "no `data`");
    fails(&["run", "mlp(layers=[2,1], activation=tan)", "--data", &table], 78, "tanh, relu, sigmoid, gelu");
    fails(&["run", "mlp(layer=[2,1])", "--data", &table], 78, "layers");
    files.write("open.surf", "a in [0, 1]\ndata y\n\n(a - y)^2\n");
    fails(&["run", &files.path("open.surf"), "--data", &table], 78, "mean_rows");
}
