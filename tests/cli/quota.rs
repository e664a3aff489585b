//! Refilled runs: the shortest prefix of restarts that meets the quota, whatever the chunk, the threads and the device.

use super::{catchment, document, output, stdout};
use serde_json::Value;
use std::path::Path;

const RUN: [&str; 10] =
    ["run", "rastrigin", "-d", "1", "--steps", "300", "-o", "sgd(lr=[0.002, 0.001])", "--seed", "3"];
const CPU: [&str; 2] = ["--device", "cpu"];

fn row(line: &str) -> Vec<&str> {
    line.split(',').collect()
}

/// What a run writes: its lines without the heading.
fn written(path: &Path, option: &str, args: &[&str]) -> Vec<String> {
    stdout(&[&RUN[..], args, &[option, path.to_str().unwrap(), "--force"]].concat());
    std::fs::read_to_string(path).unwrap().lines().skip(1).map(str::to_owned).collect()
}

/// Whether this run of the tests has a GPU, if only a software one.
fn gpu_required() -> bool {
    std::env::var("CATCHMENT_GPU").is_ok_and(|wanted| wanted == "require")
}

/// Numbers of the restarts of a configuration.
fn restarts(lines: &[String], configuration: &str) -> Vec<u64> {
    let own = lines.iter().map(|l| row(l)).filter(|cells| cells[0] == configuration);
    own.map(|cells| cells[1].parse().unwrap()).collect()
}

#[test]
fn the_prefix_is_the_same_for_every_chunk_thread_and_device() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ends.csv");
    let quota = ["--found", "20", "--first", "1000"];
    let of = |more: &[&str]| written(&path, "--out", &[&quota[..], more].concat());
    let whole = of(&CPU);
    // The run without a quota has the same restarts, and the last one kept is the one that met it.
    let all = written(&path, "--out", &["-n", "3000", "--first", "1000", "--device", "cpu"]);
    for configuration in ["0", "1"] {
        let own = |lines: &[String]| -> Vec<String> {
            lines.iter().filter(|l| row(l)[0] == configuration).cloned().collect()
        };
        let (kept, all) = (own(&whole), own(&all));
        assert_eq!(kept, all[..kept.len()]);
        let found = |line: &String| row(line)[2].parse::<f64>().unwrap().abs() <= 1e-3;
        assert_eq!(kept.iter().filter(|l| found(l)).count(), 20);
        assert!(found(kept.last().unwrap()));
    }
    for change in
        [&["--chunk", "7"][..], &["--chunk", "100000"], &["--threads", "1"], &["--threads", "3", "--chunk", "300"]]
    {
        assert_eq!(whole, of(&[&CPU[..], change].concat()), "{change:?}");
    }
    if gpu_required() {
        for chunk in ["64", "1000"] {
            let mut run =
                catchment(&[&RUN[..], &quota, &["--device", "gpu", "--chunk", chunk, "--force", "--out"]].concat());
            let came = run.arg(&path).env("CATCHMENT_GPU", "require").output().unwrap();
            assert!(came.status.success(), "{}", String::from_utf8_lossy(&came.stderr));
            let text = std::fs::read_to_string(&path).unwrap();
            let lines: Vec<String> = text.lines().skip(1).map(str::to_owned).collect();
            for configuration in ["0", "1"] {
                assert_eq!(restarts(&lines, configuration), restarts(&whole, configuration), "chunk {chunk}");
            }
        }
    }
}

#[test]
fn a_document_tells_of_the_quota() {
    let run = document(&[&RUN[..], &CPU, &["--found", "15"]].concat());
    assert_eq!(run["restarts"], 1u64 << 40);
    for c in run["configurations"].as_array().unwrap() {
        assert_eq!(c["quota"], serde_json::json!({ "found": 15, "budget": null, "met": true }));
        assert_eq!(c["success"]["count"], 15);
        let ended: u64 = c["status"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
        assert_eq!(c["restarts"], ended);
    }
    let plain = document(&[&RUN[..], &CPU, &["-n", "50"]].concat());
    assert_eq!(
        (&plain["configurations"][1]["restarts"], &plain["configurations"][1]["quota"]),
        (&50.into(), &Value::Null)
    );
}

#[test]
fn a_budget_is_the_shortest_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ends.csv");
    let lines = written(&path, "--out", &["--budget", "2e4", "--ftol", "1e-7", "--device", "cpu", "--chunk", "50"]);
    for configuration in ["0", "1"] {
        let own: Vec<Vec<&str>> = lines.iter().map(|l| row(l)).filter(|cells| cells[0] == configuration).collect();
        let steps: Vec<u64> = own.iter().map(|cells| cells[4].parse().unwrap()).collect();
        let total: u64 = steps.iter().sum();
        assert!(total >= 20_000 && total - steps.last().unwrap() < 20_000, "{total}");
        // Steps differ, so that a count of restarts would not do.
        assert!(steps.iter().any(|s| *s != steps[0]));
    }
}

#[test]
fn the_first_of_two_quotas_ends_a_run_and_a_target_is_what_is_found() {
    let both = |found: &str, budget: &str| {
        let run = document(&[&RUN[..8], &CPU, &["--target", "5", "--found", found, "--budget", budget]].concat());
        let c = &run["configurations"][0];
        assert_eq!(c["quota"]["met"], true);
        (
            c["status"]["target"].as_u64().unwrap(),
            c["restarts"].as_u64().unwrap() as f64 * c["steps_taken"]["mean"].as_f64().unwrap(),
        )
    };
    let (found, steps) = both("40", "1e9");
    assert!(found == 40 && steps < 1e6);
    let (found, steps) = both("4e6", "1e4");
    assert!(found < 200 && (1e4..1e4 + 300.5).contains(&steps), "{found} {steps}");
}

#[test]
fn a_trace_obeys_the_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("way.csv");
    let ends = document(&[&RUN[..], &CPU, &["--found", "2"]].concat());
    let check = |lines: &[String], of: &str| {
        for id in [0, 1] {
            let mut traced = restarts(lines, &id.to_string());
            assert_eq!(traced.len() as u64, 2 * ends["configurations"][id]["restarts"].as_u64().unwrap(), "{of}");
            traced.sort_unstable();
            traced.dedup();
            assert_eq!(traced, (0..traced.len() as u64).collect::<Vec<u64>>(), "{of}");
        }
    };
    let trace = ["--found", "2", "--trace-steps", "0,300", "--trace-restarts", "1e6"];
    for chunk in ["10", "1000"] {
        check(&written(&path, "--trace", &[&trace[..], &CPU, &["--chunk", chunk]].concat()), chunk);
    }
    if gpu_required() {
        let options = ["--device", "gpu", "--chunk", "10", "--force", "--trace", path.to_str().unwrap()];
        let mut run = catchment(&[&RUN[..], &trace, &options].concat());
        assert!(run.env("CATCHMENT_GPU", "require").output().unwrap().status.success());
        let text = std::fs::read_to_string(&path).unwrap();
        check(&text.lines().skip(1).map(str::to_owned).collect::<Vec<String>>(), "GPU");
    }
}

#[test]
fn text_tells_of_the_quota_and_restarts_that_run_out_are_a_warning() {
    let text = stdout(&[&RUN[..], &CPU, &["--found", "5", "--budget", "1e6"]].concat());
    assert!(text.contains("restarts until 5 reach the minimum or 1,000,000 steps are taken (at most"), "{text}");
    assert!(text.contains("was met by 2 of 2 configurations"), "{text}");
    let short = output(&[&RUN[..], &CPU, &["--found", "1000", "-n", "60"]].concat());
    let (said, printed) = (String::from_utf8_lossy(&short.stderr), String::from_utf8_lossy(&short.stdout));
    assert!(short.status.success());
    assert!(said.contains("warning: -n 60 ran out before the quota of 2 of 2 configurations was met"), "{said}");
    assert!(printed.contains("was met by 0 of 2 configurations"), "{printed}");
}

#[test]
fn quotas_that_say_nothing_are_refused() {
    for (args, said) in [
        (&["run", "michalewicz", "-d", "2", "--found", "3"][..], "--target VALUE"),
        (&["run", "sphere", "-d", "2", "--found", "0"], "at least 1"),
        (&["run", "sphere", "-d", "2", "--budget", "0"], "at least 1 step"),
        (&["run", "sphere", "-d", "2", "--budget", "9", "--starts", "grid"], "-n 1e6"),
    ] {
        let came = output(args);
        let text = String::from_utf8_lossy(&came.stderr);
        assert_eq!(came.status.code(), Some(2), "{args:?}: {text}");
        assert!(text.contains(said), "{args:?}: {text}");
    }
}
