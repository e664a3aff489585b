//! `minima`: the document, the file, and what is told of settings that make no sense.

use super::{document, output, stdout};
use std::fs;

const HIMMELBLAU: [&str; 8] = ["minima", "himmelblau", "-n", "2000", "-o", "adam(lr=0.05)", "--steps", "600"];

#[test]
fn the_document_has_the_contracts_keys() {
    let document = document(&HIMMELBLAU);
    assert_eq!((document["schema"].as_u64(), document["restarts"].as_u64()), (Some(1), Some(2000)));
    assert_eq!(document["surface"]["name"], "himmelblau");
    let minima = document["minima"].as_array().unwrap();
    assert_eq!(minima.len(), 4);
    let mut hits = 0;
    for minimum in minima {
        for key in ["x", "eigenvalues", "interval"] {
            assert_eq!(minimum[key].as_array().unwrap().len(), 2, "{key}");
        }
        assert_eq!((minimum["kind"].as_str(), minimum["index"].as_u64()), (Some("minimum"), Some(0)));
        assert!(minimum["value"].as_f64().unwrap() < 1e-20 && minimum["gradient_norm"].as_f64().unwrap() < 1e-10);
        let (fraction, interval) = (minimum["fraction"].as_f64().unwrap(), minimum["interval"].as_array().unwrap());
        assert!(interval[0].as_f64().unwrap() < fraction && fraction < interval[1].as_f64().unwrap());
        assert!(minimum["first_restart"].as_u64().unwrap() < 100);
        hits += minimum["hits"].as_u64().unwrap();
    }
    assert_eq!(hits, 2000);
    let coverage = &document["coverage"];
    assert_eq!((coverage["observed"].as_u64(), coverage["unseen_mass"].as_f64()), (Some(4), Some(0.0)));
    assert_eq!(coverage["chao1"].as_f64(), Some(4.0));
    assert!(coverage["boender_rinnooy_kan"].is_number() && coverage["interval"].as_array().unwrap().len() == 2);
    let audit = &document["precision_audit"];
    assert_eq!(audit["checked"].as_u64(), Some(256));
    assert!(audit["flipped"].as_u64().unwrap() <= 4 && audit["interval"].is_array());
    assert!(document["device"]["kind"] == "cpu" && document["timing"]["total_s"].is_number());
}

#[test]
fn no_chunk_and_no_thread_count_changes_the_set() {
    let told = |more: &[&str]| {
        let mut document = document(&[&HIMMELBLAU[..], more].concat());
        document["timing"] = 0.into();
        document["device"] = 0.into();
        document
    };
    let all = told(&[]);
    assert_eq!(all, told(&["--threads", "1"]));
    assert_eq!(all, told(&["--chunk", "130"]));
}

#[test]
fn a_search_ends_at_the_coverage_that_is_asked_for() {
    let document = document(&[
        "minima",
        "rastrigin",
        "-d",
        "1",
        "-o",
        "sgd(lr=0.002)",
        "--until-coverage",
        "0.99",
        "--audit",
        "0",
    ]);
    // Eleven basins, each of some 9 %: a thousand restarts tell.
    assert_eq!(document["restarts"].as_u64(), Some(1000));
    assert_eq!(document["configurations"][0]["covered"], true);
    assert_eq!(document["minima"].as_array().unwrap().len(), 11);
    assert!(document["coverage"]["unseen_interval"][1].as_f64().unwrap() <= 0.01);
    assert!(document["precision_audit"].is_null());
}

#[test]
fn files_hold_every_point() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("minima.csv");
    let text = stdout(&[&HIMMELBLAU[..], &["--out", path.to_str().unwrap()]].concat());
    assert!(text.contains("2,000 restarts ended at 4 minima in the box.") && text.contains("Good-Turing"));
    let written = fs::read_to_string(&path).unwrap();
    let mut lines = written.lines();
    let heading = "kind,index,value,gradient_norm,hits,fraction,fraction_lo,fraction_hi,first_restart,inside,at_bounds,kink,x0,x1,eigenvalue0,eigenvalue1";
    assert_eq!(lines.next(), Some(heading));
    assert_eq!(lines.filter(|line| line.starts_with("minimum,0")).count(), 4);
}

#[test]
fn angles_meet_themselves() {
    let search =
        ["minima", "--expr", "cos(x[0]) + 0.1*x[1]^2", "--box=-3.141592653589793:3.141592653589793", "-d", "2"];
    let options = ["-n", "400", "-o", "adam(lr=0.1)", "--audit", "0"];
    // Both ends of the first coordinate are the minimum.
    let ends = |more: &[&str]| document(&[&search[..], &options, more].concat())["minima"].as_array().unwrap().len();
    assert_eq!((ends(&[]), ends(&["--periodic", "0"])), (2, 1));
}

#[test]
fn a_bounded_search_tells_what_the_box_holds() {
    let search =
        ["minima", "--expr", "(x[0] - 3)^2 + x[1]^2", "--box=-2:2", "-d", "2", "-n", "200", "-o", "adam(lr=0.1)"];
    let found = document(&[&search[..], &["--bounds", "clip", "--audit", "0"]].concat());
    let minima = found["minima"].as_array().unwrap();
    assert_eq!(minima.len(), 1);
    assert_eq!((minima[0]["x"][0].as_f64(), minima[0]["at_bounds"].as_u64()), (Some(2.0), Some(1)));
    assert_eq!(minima[0]["kind"], "minimum");
    let free = document(&[&search[..], &["--audit", "0"]].concat());
    assert_eq!((free["minima"][0]["x"][0].as_f64(), free["minima"][0]["inside"].as_bool()), (Some(3.0), Some(false)));
}

#[test]
fn kinks_and_plains_are_told_apart_from_critical_points() {
    let kink = document(&[
        "minima",
        "--expr",
        "abs(x[0] - 0.5) + abs(x[1])",
        "--box=-2:2",
        "-d",
        "2",
        "-n",
        "200",
        "-o",
        "adam(lr=0.05*(1 - t/T))",
        "--audit",
        "0",
    ]);
    let minima = kink["minima"].as_array().unwrap();
    assert_eq!(minima.len(), 1, "{minima:?}");
    assert!(minima[0]["kink"] == true && minima[0]["kind"] == "minimum" && minima[0]["index"].is_null());
    assert!((minima[0]["x"][0].as_f64().unwrap() - 0.5).abs() < 1e-9);
    let plain = document(&["minima", "plateau", "-d", "2", "-n", "400", "-o", "sgd(lr=0.1)", "--audit", "0"]);
    assert!(plain["gradient_flat"].as_u64().unwrap() > 200);
    let kinds: Vec<&str> = plain["minima"].as_array().unwrap().iter().filter_map(|m| m["kind"].as_str()).collect();
    assert_eq!(kinds.iter().filter(|k| **k == "minimum").count(), 1);
}

#[test]
fn many_dimensions_are_finished_by_conjugate_gradients() {
    let found =
        document(&["minima", "styblinski_tang", "-d", "300", "-n", "20", "-o", "adam(lr=0.05)", "--audit", "0"]);
    for minimum in found["minima"].as_array().unwrap() {
        assert_eq!(minimum["kind"], "minimum");
        assert!(minimum["gradient_norm"].as_f64().unwrap() < 1e-9, "{}", minimum["gradient_norm"]);
        let ends = minimum["eigenvalues"].as_array().unwrap();
        assert!(ends.len() == 2 && (ends[1].as_f64().unwrap() - 34.5).abs() < 1.5, "{ends:?}");
    }
}

#[test]
fn settings_that_make_no_sense_are_told() {
    let mistakes = [
        (&["--tolerance", "0"][..], "the tolerance"),
        (&["--periodic", "2"], "a periodic coordinate"),
        (&["--until-coverage", "1"], "the coverage"),
        (&["--until-coverage", "0.9", "--starts", "lhs"], "lhs"),
    ];
    for (more, told) in mistakes {
        let all = [&["minima", "himmelblau"][..], more].concat();
        let output = output(&all);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{more:?}: {error}");
        assert!(error.contains(told), "{more:?}: {error}");
    }
}
