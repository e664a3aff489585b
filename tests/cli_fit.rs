//! `catchment fit`, driven as a script drives it: documents, files, and what is said of whatever is wrong.

use serde_json::Value;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn fit(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_catchment"));
    command.current_dir(folder).arg("fit").args(args).env("CATCHMENT_GPU", "off").env_remove("NO_COLOR");
    command.output().unwrap()
}

/// What a fit prints that must succeed.
fn stdout(folder: &Path, args: &[&str]) -> String {
    let output = fit(folder, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn document(folder: &Path, args: &[&str]) -> Value {
    let text = stdout(folder, &[args, &["--json"]].concat());
    assert_eq!(text.lines().count(), 1, "{args:?}");
    serde_json::from_str(&text).unwrap()
}

/// What is said of a mistake: one line, the right code, nothing on stdout and no file.
fn mistake(folder: &Path, code: i32, args: &[&str]) -> String {
    let before = files(folder);
    let output = fit(folder, args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    assert_eq!(said.lines().filter(|l| l.starts_with("error:")).count(), 1, "{args:?}: {said}");
    assert!(!said.contains("panicked") && said.len() < 2000, "{args:?}: {said}");
    assert!(output.stdout.is_empty(), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(files(folder), before, "{args:?} left a file");
    said
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    files
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

/// Noise without a generator: the fraction of a product with the golden ratio, centred.
fn noise(i: u32) -> f64 {
    (f64::from(i) * 0.618_033_988_749_894_9).fract() - 0.5
}

/// `2.5 exp(-0.6 t) + 0.2` with noise of 0.02, 60 rows; a column of weights and one of text.
fn decay() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::from("t,y,w,note\n");
    for i in 0..60 {
        let t = f64::from(i) / 6.0;
        writeln!(text, "{t},{},{},row {i}", 2.5 * (-0.6 * t).exp() + 0.2 + 0.04 * noise(i), 1 + i % 2).unwrap();
    }
    write(folder.path(), "decay.csv", &text);
    folder
}

const MODEL: [&str; 6] = ["--data", "decay.csv", "--y", "y", "--model", "a*exp(-k*t) + c"];
const BOX: [&str; 2] = ["--box", "a=0:10,k=1e-3:10:log,c=-1:1"];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&MODEL[..], &BOX[..], more].concat()
}

fn near(value: &Value, expected: f64, within: f64) {
    let value = value.as_f64().unwrap();
    assert!((value - expected).abs() < within, "{value} is not {expected}");
}

#[test]
fn the_document_holds_what_scripts_rely_on() {
    let folder = decay();
    let found = document(folder.path(), &with(&["-n", "40", "--seed", "3"]));
    assert_eq!((&found["schema"], &found["rows"]), (&1.into(), &60.into()));
    let names: Vec<&str> =
        found["parameters"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "k", "c"]);
    for (i, expected) in [2.5, 0.6, 0.2].into_iter().enumerate() {
        let parameter = &found["parameters"][i];
        near(&parameter["value"], expected, 0.02);
        near(&parameter["standard_error"], 0.005, 0.0049);
        near(&found["correlation"][i][i], 1.0, 1e-9);
        near(&found["solutions"][0]["parameters"][i], parameter["value"].as_f64().unwrap(), 1e-12);
    }
    near(&found["residual_sd"], 0.04 / 12f64.sqrt(), 0.002);
    near(&found["r2"], 0.9996, 0.0003);
    near(&found["solutions"][0]["rss"], found["rss"].as_f64().unwrap(), 1e-12);
    assert!(found["solutions"][0]["hits"].as_u64().unwrap() > 10);
    assert!(found["solutions"][0]["fraction"].as_f64().unwrap() <= 1.0);
    assert_eq!(found["device"]["kind"], "cpu");
    assert!(found["timing"]["total_s"].as_f64().unwrap() > 0.0);
    let again = document(folder.path(), &with(&["-n", "40", "--seed", "3", "--threads", "1"]));
    assert_eq!(found["solutions"], again["solutions"]);
}

#[test]
fn the_text_tells_a_person() {
    let folder = decay();
    let text = stdout(folder.path(), &with(&[]));
    for part in ["y = a*exp(-k*t) + c", "60 rows of decay.csv", "on the CPU", "standard error", "R² 0.999", "•", "└"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains('\u{1b}'));
    assert!(stdout(folder.path(), &with(&["-v"])).contains("correlation"));
}

#[test]
fn options_do_what_they_say() {
    let folder = decay();
    let folder = folder.path();
    let alone = document(folder, &[&MODEL[..], &["--start", "a=2,k=0.5,c=0.1"]].concat());
    assert_eq!((&alone["starts"], &alone["solutions"][0]["hits"]), (&1.into(), &1.into()));
    near(&alone["parameters"][1]["value"], 0.6, 0.02);
    let fixed = document(folder, &[&MODEL[..], &["--box", "a=0:10,k=1e-3:10:log", "--fix", "c=0.2"]].concat());
    assert_eq!(fixed["parameters"][2]["value"], 0.2);
    assert_eq!(fixed["parameters"][2]["standing"], "fixed");
    assert!(fixed["parameters"][2]["standard_error"].is_null());
    let weighted = document(folder, &with(&["--weights", "w", "--loss", "huber:0.05"]));
    near(&weighted["parameters"][0]["value"], 2.5, 0.02);
    let both = document(folder, &with(&["--start", "a=2,k=0.5,c=0.1", "-n", "4"]));
    assert_eq!(both["starts"], 5);
    let held = document(folder, &[&MODEL[..], &["--box", "a=0:2,k=1e-3:10:log,c=-1:1", "--bounded"]].concat());
    assert_eq!(held["parameters"][0]["value"], 2.0);
    let formula =
        ["--data", "decay.csv", "--y", "log(y - 0.2 + 0.1)", "--model", "b - s*tau + 0*pi", "--bind", "tau=t"];
    let line = document(folder, &[&formula[..], &["--start", "b=1,s=1"]].concat());
    assert_eq!(line["parameters"][1]["name"], "s");
    let said = fit(folder, &with(&["--box", "q=0:1"]));
    assert!(String::from_utf8_lossy(&said.stderr).contains("`q`, which the model does not use"));
    let said = fit(folder, &[&MODEL[..], &["--box", "a=0:1,k=0.1:10:log,c=-1:1"]].concat());
    assert!(String::from_utf8_lossy(&said.stderr).contains("outside its box 0:1"));
}

#[test]
fn files_are_whole_and_not_replaced() {
    let folder = decay();
    let folder = folder.path();
    stdout(folder, &with(&["--out", "rows.csv", "--plot", "fit.png"]));
    stdout(folder, &with(&["--out", "rows.parquet", "--plot", "fit.svg"]));
    let rows = std::fs::read_to_string(folder.join("rows.csv")).unwrap();
    assert_eq!(rows.lines().next(), Some("t,y,observed,fitted,residual"));
    assert_eq!(rows.lines().count(), 61);
    assert!(std::fs::read(folder.join("rows.parquet")).unwrap().starts_with(b"PAR1"));
    assert!(std::fs::read(folder.join("fit.png")).unwrap().starts_with(b"\x89PNG"));
    assert!(std::fs::read_to_string(folder.join("fit.svg")).unwrap().contains("a*exp(-k*t) + c"));
    // What has been written can be fitted again.
    let again = ["--data", "rows.parquet", "--y", "fitted", "--model", "a*exp(-k*t) + c"];
    near(&document(folder, &[&again[..], &BOX[..]].concat())["rss"], 0.0, 1e-20);
    for file in ["rows.csv", "rows.parquet"] {
        assert!(mistake(folder, 73, &with(&["--out", file])).contains("--force"));
    }
    mistake(folder, 73, &with(&["--plot", "fit.png"]));
    stdout(folder, &with(&["--out", "rows.csv", "--plot", "fit.png", "--force"]));
    mistake(folder, 2, &with(&["--out", "rows.txt"]));
    mistake(folder, 2, &with(&["--plot", "fit.jpg"]));
    mistake(folder, 2, &with(&["--out", "new.csv", "--plot", "fit.pdf"]));
    mistake(folder, 74, &with(&["--plot", "no/such/folder/fit.png"]));
}

#[test]
fn groups_are_fitted_on_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut text = String::from("site,t,y\n");
    for (g, site) in ["007", "north", "7"].into_iter().enumerate() {
        for i in 0..20 {
            let t = f64::from(i) / 4.0;
            writeln!(text, "{site},{t},{}", (1 + g) as f64 * (-0.5 * t).exp() + 0.01 * noise(i)).unwrap();
        }
    }
    text += "lone,1,1\n";
    write(folder, "sites.csv", &text);
    let args = ["--data", "sites.csv", "--y", "y", "--model", "a*exp(-k*t)", "--box", "a=0:10,k=0.01:10:log"];
    let args = [&args[..], &["--group", "site", "-n", "10"]].concat();
    let found = document(folder, &[&args[..], &["--out", "fits.csv"]].concat());
    let groups = found["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 4);
    for (g, label) in ["007", "north", "7"].into_iter().enumerate() {
        assert_eq!((&groups[g]["group"], &groups[g]["status"]), (&label.into(), &"converged".into()));
        near(&groups[g]["parameters"][0], (1 + g) as f64, 0.05);
        near(&groups[g]["standard_errors"][1], 0.003, 0.003);
        near(&groups[g]["rss"], 2e-4, 2e-4);
    }
    assert_eq!((&groups[3]["status"], &groups[3]["parameters"][0]), (&"too_few_rows".into(), &Value::Null));
    let file = std::fs::read_to_string(folder.join("fits.csv")).unwrap();
    assert_eq!(file.lines().next(), Some("group,rows,status,rss,residual_sd,a,a_se,k,k_se"));
    assert!(file.lines().nth(4).is_some_and(|line| line == "lone,1,too_few_rows,,,,,,"), "{file}");
    let text = stdout(folder, &args);
    assert!(text.contains("north") && text.contains("4 groups: 3 converged, 1 too few rows."), "{text}");
    mistake(folder, 65, &[&args[..8], &["--group", "sites"]].concat());
    mistake(folder, 2, &[&args[..], &["--plot", "fit.png"]].concat());
}

#[test]
fn bad_tables_are_told_with_row_and_column() {
    let folder = decay();
    let folder = folder.path();
    let table = |name: &str, text: &str| write(folder, name, text);
    table("text.csv", "t,y\n0,1\n1,n/a\n2,3\n3,4\n");
    table("nan.csv", "t,y\n0,1\n1,2\n\n2,NaN\n3,4\n");
    table("empty.csv", "");
    table("bare.csv", "t,y\n");
    table("ragged.csv", "t,y\n0,1\n1\n");
    table("few.csv", "t,y\n0,1\n1,2\n");
    table("weights.csv", "t,y,w\n0,1,1\n1,2,-1\n2,3,1\n3,4,1\n");
    let on = |data: &'static str| [&["--data", data, "--y", "y", "--model", "a*exp(-k*t) + c"], &BOX[..]].concat();
    let said = |code: i32, data: &'static str| mistake(folder, code, &on(data));
    assert!(said(65, "text.csv").contains("text.csv: row 2 (line 3), column `y`: `n/a` is not a number"));
    assert!(said(65, "nan.csv").contains("nan.csv: row 3 (line 5), column `y`: `NaN` is not a finite number"));
    assert!(said(65, "empty.csv").contains("the file is empty"));
    assert!(said(65, "bare.csv").contains("no rows"));
    assert!(said(65, "ragged.csv").contains("row 2 (line 3) has 1 cells, the heading 2"));
    assert!(said(65, "few.csv").contains("2 rows cannot determine 3 parameters"));
    assert!(said(66, "nowhere.csv").contains("nowhere.csv"));
    assert!(
        mistake(folder, 65, &[&on("weights.csv")[..], &["--weights", "w"]].concat()).contains("row 2 has weight -1")
    );
    assert!(mistake(folder, 65, &with(&["--weights", "ww"])).contains("no column `ww`"));
    assert!(mistake(folder, 65, &with(&["--weights", "note"])).contains("row 1 (line 2), column `note`: `row 0`"));
    assert!(mistake(folder, 65, &with(&["--bind", "t=time"])).contains("no column `time`"));
    let other = ["--data", "decay.csv", "--y", "yy", "--model", "a*t", "--box", "a=0:1"];
    assert!(mistake(folder, 65, &other).contains("there is no column `yy`"));
}

#[test]
fn bad_requests_are_told() {
    let folder = decay();
    let folder = folder.path();
    let said = mistake(folder, 2, &[&MODEL[..], &["--box", "a=0:10"]].concat());
    assert!(
        said.contains("`k`, `c` are no columns of decay.csv") && said.contains("--box \"k=LO:HI,c=LO:HI\""),
        "{said}"
    );
    assert!(mistake(folder, 2, &MODEL).contains("`a`, `k`, `c`"));
    assert!(said.contains("the columns are t, y, w, note"), "{said}");
    let misspelt = ["--data", "decay.csv", "--y", "y", "--model", "a*nte", "--box", "a=0:1"];
    assert!(mistake(folder, 2, &misspelt).contains("did you mean the column `note`?"));
    assert!(mistake(folder, 2, &with(&["--loss", "hubert:1"])).contains("huber:S"));
    mistake(folder, 2, &with(&["--loss", "huber:-1"]));
    assert!(mistake(folder, 2, &with(&["--fix", "d=1"])).contains("no parameter of the model"));
    assert!(mistake(folder, 2, &with(&["--fix", "t=1"])).contains("`t`, which is a column of decay.csv"));
    assert!(mistake(folder, 2, &with(&["--fix", "a=1,k=1,c=1"])).contains("no parameter to find"));
    assert!(mistake(folder, 2, &with(&["--start", "a=1"])).contains("leaves k, c open"));
    assert!(mistake(folder, 2, &with(&["--start", "a=1,a=2"])).contains("twice"));
    assert!(mistake(folder, 2, &[&MODEL[..], &["--start", "a=1,k=1,c=0", "-n", "3"]].concat()).contains("need a box"));
    for domain in ["a", "a=1", "a=2:1", "a=0:1:log", "a=0:inf", "a=0:1,a=0:2", ""] {
        mistake(folder, 2, &[&MODEL[..], &["--box", domain]].concat());
    }
    mistake(folder, 2, &with(&["-n", "0"]));
    mistake(folder, 2, &with(&["-n", "1e15"]));
    mistake(folder, 2, &["--data", "decay.csv"]);
    let no_parameters = ["--data", "decay.csv", "--y", "y", "--model", "2*t"];
    assert!(mistake(folder, 2, &no_parameters).contains("no parameter"));
    let no_columns = ["--data", "decay.csv", "--y", "1", "--model", "a", "--box", "a=0:1"];
    assert!(mistake(folder, 2, &no_columns).contains("neither --y nor --model reads a column"));
    for model in ["a*exp(-k*t", "a*exq(t)", "", "a +", "[a, t]"] {
        let args = ["--data", "decay.csv", "--y", "y", "--model", model, "--box", "a=0:1,k=0:1"];
        mistake(folder, 78, &args);
    }
    let never = ["--data", "decay.csv", "--y", "y", "--model", "log(-1 - a^2) + t", "--box", "a=0:1"];
    let zero = ["--data", "decay.csv", "--y", "log(t)", "--model", "a*y", "--box", "a=0:1"];
    assert!(mistake(folder, 65, &zero).contains("--y `log(t)` is -inf in row 1 of decay.csv"));
    assert!(mistake(folder, 65, &never).contains("not finite at any of the 100 starts"));
}
