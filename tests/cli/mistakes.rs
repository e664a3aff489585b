//! Whatever a user gets wrong: one `error:` line, the right exit code, no panic and no generated code.

use super::output;
use std::path::Path;

/// Runs, and gives what was said; panics where it was not said well.
pub(super) fn mistake(code: i32, args: &[&str]) -> String {
    let output = output(args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let shown: Vec<String> = args.iter().map(|a| a.chars().take(80).collect()).collect();
    assert_eq!(output.status.code(), Some(code), "{shown:?}: {said}");
    assert_eq!(said.lines().filter(|l| l.starts_with("error:")).count(), 1, "{shown:?}: {said}");
    for word in ["panicked", "RUST_BACKTRACE", "@compute", "fn main", "var<"] {
        assert!(!said.contains(word), "{shown:?}: {said}");
    }
    assert!(said.len() < 4000, "{shown:?}: {} bytes are no message", said.len());
    assert!(output.stdout.is_empty(), "{shown:?}: {}", String::from_utf8_lossy(&output.stdout));
    said
}

fn text(folder: &Path, name: &str, content: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn names() {
    assert!(mistake(2, &["run", "rastrigine"]).contains("did you mean `rastrigin`?"));
    assert!(mistake(2, &["run", "sphere", "-o", "adm"]).contains("did you mean `adam`?"));
    assert!(mistake(2, &["show", "rosenbrok"]).contains("did you mean `rosenbrock`?"));
    assert!(mistake(78, &["run", "sphere", "-o", "adam(lrr=1)"]).contains("did you mean `lr`?"));
    assert!(mistake(78, &["run", "ackley(q=1)"]).contains("option `q`"));
    assert!(mistake(78, &["run", "--expr", "sum(coss(x))", "--box", "0:1"]).contains("did you mean `cos`?"));
    assert!(mistake(69, &["run", "sphere", "--device", "no such device"]).contains("no such device"));
    assert!(mistake(2, &["run", "sphere", "--starts", "sobl"]).contains("did you mean `sobol`?"));
    mistake(66, &["run", "no/such/file.surf"]);
    mistake(66, &["run", "sphere", "-o", "no/such/file.opt"]);
    // A name may hold anything, and is still said in one line.
    mistake(2, &["run", "a\nerror: b\u{1b}[2J"]);
}

#[test]
fn arguments() {
    mistake(2, &["run"]);
    mistake(2, &["fly"]);
    mistake(2, &["run", "sphere", "--no-such-option"]);
    mistake(2, &["run", "sphere", "--expr", "x[0]", "--box", "0:1"]);
    mistake(2, &["run", "--expr", "x[0]"]);
    assert!(mistake(2, &["run", "sphere", "-n", "1.5"]).contains("whole number"));
    mistake(2, &["run", "sphere", "-n", "0"]);
    mistake(2, &["run", "sphere", "-n", "1e30"]);
    mistake(2, &["run", "sphere", "-d", "0"]);
    mistake(2, &["run", "sphere", "-d", "1e9"]);
    mistake(2, &["run", "branin", "-d", "3"]);
    mistake(2, &["run", "powell", "-d", "6"]);
    mistake(2, &["run", "sphere", "--steps", "0"]);
    mistake(2, &["run", "sphere", "--chunk", "0"]);
    mistake(2, &["run", "sphere", "--threads", "0"]);
    mistake(2, &["run", "sphere", "--gtol=-1"]);
    mistake(2, &["run", "sphere", "--ftol", "nan"]);
    mistake(2, &["run", "sphere", "--target", "inf"]);
    mistake(2, &["run", "sphere", "--success", "nan"]);
    mistake(2, &["run", "sphere", "--starts", "normal:-1"]);
    mistake(2, &["run", "sphere", "--steps", "10", "--trace", "t.csv", "--trace-steps", "11"]);
    mistake(2, &["run", "sphere", "--device", "gpu", "--precision", "f64"]);
    for domain in ["1:1", "2:1", "1", "a:b", "0:inf", "nan:1", "0:1:log", "0:1,0:1,0:1", "-1e300:1e300"] {
        mistake(2, &["run", "branin", "--box", domain]);
    }
    mistake(2, &["run", "--expr", "x[0]", "--box", "0:1", "-d", "0"]);
    mistake(2, &["run", "--expr", "x[0]", "--box", "0:1", "-d", "4e9"]);
}

#[test]
fn formulas() {
    let bad = |formula: &str| mistake(78, &["run", "--expr", formula, "--box", "0:1", "-d", "3"]);
    for formula in [
        "",
        "x",
        "x +",
        "sum(x",
        "x[9]",
        "x[0:2] + x",
        "1/0",
        "sum(x)/0",
        "1e999",
        "x[0] where",
        "normal()",
        "[1, 2] + x",
    ] {
        bad(formula);
    }
    bad("sum(x*1e300)");
    bad(&"(".repeat(10_000));
    bad(&format!("{}x[0]{}", "(".repeat(10_000), ")".repeat(10_000)));
    bad(&"-".repeat(50_000));
    bad(&"sin(".repeat(5_000));
    for (optimizer, code) in [
        ("adam(lr=0/0)", 78),
        ("adam(lr=nan)", 78),
        ("adam(lr=1e39)", 78),
        ("sgd(lr=1/(t-1))", 2),
        ("noise", 78),
        ("adam | sgd", 78),
        ("adam(", 78),
        ("", 78),
        ("|", 78),
    ] {
        mistake(code, &["run", "sphere", "-o", optimizer]);
    }
}

#[test]
fn files_of_formulas() {
    let folder = tempfile::tempdir().unwrap();
    let head = "# Too much.\nx[n] in [0, 1]\n\n";
    let surface =
        |name: &str, body: &str| mistake(78, &["run", &text(folder.path(), name, &format!("{head}{body}\n"))]);
    surface("megabyte.surf", &format!("sum(x){}", " + x[0]".repeat(150_000)));
    surface("blank.surf", &format!("sum(x){}", " ".repeat(1 << 20)));
    surface("terms.surf", &format!("x[0]{}", (0..100_000).map(|i| format!(" + sin({i}*x[0])")).collect::<String>()));
    surface("deep.surf", &format!("{}x[0]{}", "(".repeat(10_000), ")".repeat(10_000)));
    surface("zero.surf", "sum(x)/(2 - 2)");
    surface("shapes.surf", "sum(x[1:] + x)");
    mistake(78, &["run", &text(folder.path(), "order.surf", "# Wrong way.\nx[2] in [1, -1]\n\nsum(x)\n")]);
    mistake(78, &["run", &text(folder.path(), "empty.surf", "")]);
    mistake(78, &["run", "sphere", "-o", &text(folder.path(), "bad.opt", "# Bad.\nx = x - y\n")]);
    mistake(78, &["check", &text(folder.path(), "worse.opt", "# Bad.\nhyper lr = \n")]);
}

#[test]
fn files_of_points() {
    let folder = tempfile::tempdir().unwrap();
    let starts = |code, name: &str, content: &str| {
        let path = text(folder.path(), name, content);
        let by_run = mistake(code, &["run", "branin", "--starts", &path]);
        let by_eval = mistake(code, &["eval", "branin", "--points", &path]);
        assert!(by_run.contains(name) && by_eval.contains(name), "{by_run}{by_eval}");
        by_run
    };
    starts(65, "wide.csv", "1,2,3\n");
    assert!(starts(65, "ragged.csv", "x0,x1\n1,2\n\n3\n").contains("ragged.csv:4"));
    assert!(starts(65, "word.csv", "1,2\n3,four\n").contains("four"));
    assert!(starts(65, "inf.csv", "# points\n1,2\n1,inf\n").contains("inf.csv:3"));
    starts(65, "empty.csv", "");
    mistake(66, &["eval", "branin", "--points", "no/such/points.csv"]);
    mistake(66, &["run", "branin", "--starts", "no/such/points.csv"]);
}

#[test]
fn places_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::create_dir(path("folder.csv")).unwrap();
    std::fs::write(path("file"), "").unwrap();
    for place in ["no/such/folder/out.csv", "folder.csv", "file/out.csv"] {
        mistake(74, &["run", "sphere", "--device", "cpu", "--out", &path(place)]);
        mistake(74, &["run", "sphere", "--device", "cpu", "--trace", &path(place)]);
    }
    mistake(2, &["run", "sphere", "--out", &path("out.txt")]);
    mistake(2, &["run", "sphere", "--out", &path("same.csv"), "--trace", &path("same.csv")]);
    // Nothing that was opened before the mistake is left.
    mistake(74, &["run", "sphere", "--device", "cpu", "--out", &path("fine.csv"), "--trace", &path("no/such/t.csv")]);
    assert!(!Path::new(&path("fine.csv")).exists());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

/// Root writes anywhere but where nothing can be written at all.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told() {
    if Path::new("/dev/full").exists() {
        let folder = tempfile::tempdir().unwrap();
        let full = folder.path().join("full.csv");
        std::os::unix::fs::symlink("/dev/full", &full).unwrap();
        let args = [
            "run",
            "sphere",
            "-d",
            "2",
            "-n",
            "1e5",
            "--steps",
            "2",
            "--device",
            "cpu",
            "--json",
            "--out",
            full.to_str().unwrap(),
        ];
        assert!(mistake(74, &args).contains("full.csv"));
    }
}
