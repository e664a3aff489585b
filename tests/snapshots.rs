//! The generated WGSL of a few plans, as committed in tests/snapshots: what runs can be read there, and a change of the
//! compiler shows in the diff. `CATCHMENT_BLESS=1 cargo test --test snapshots` writes them anew.

mod support;

use catchment::fit::{BatchedFit, FitColumn, FitRows, Residuals};
use catchment::{Plan, Surface};
use std::path::{Path, PathBuf};

/// Surface, dimension, chain: each of the six rules on one small surface, scans in loops, one sliced surface in
/// registers, few and many, and spread over a workgroup.
const SNAPSHOTS: &[(&str, u32, &str)] = &[
    ("sphere", 2, "sgd"),
    ("sphere", 2, "momentum"),
    ("sphere", 2, "nesterov"),
    ("sphere", 2, "adagrad"),
    ("sphere", 2, "rmsprop"),
    ("sphere", 2, "adam"),
    ("griewank", 40, "sgd"),
    ("rosenbrock", 3, "sgd"),
    ("rosenbrock", 40, "adam"),
    ("rosenbrock", 300, "momentum"),
];

/// A batched fit of two parameters: a column that all fits share, and one of their own.
const FIT: &str = "decay_2_fit.wgsl";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots")
}

fn file(&(surface, dim, chain): &(&str, u32, &str)) -> String {
    format!("{surface}_{dim}_{chain}.wgsl")
}

/// The first line that differs, from both texts.
fn difference(old: &str, new: &str) -> String {
    let lines = old.lines().zip(new.lines()).enumerate();
    let first = lines.into_iter().find(|(_, (a, b))| a != b);
    let ends = || format!("{} lines, not {}", new.lines().count(), old.lines().count());
    first.map_or_else(ends, |(i, (a, b))| format!("line {}\n- {a}\n+ {b}", i + 1))
}

#[test]
fn shaders_are_as_committed() {
    let bless = std::env::var_os("CATCHMENT_BLESS").is_some();
    let mut failures = Vec::new();
    for snapshot in SNAPSHOTS {
        let &(name, dim, chain) = snapshot;
        let surface = Surface::named(name, Some(dim)).expect("a catalog surface");
        let plan = Plan::new(surface).optimizer(chain).resolve().expect("a plan");
        let text = catchment::wgsl(&plan).expect("prints");
        assert_eq!(text, catchment::wgsl(&plan).expect("prints"), "{name}: the same text again");
        support::validate(&text).unwrap_or_else(|error| panic!("{name} {dim} {chain}: {error}"));
        let path = folder().join(file(snapshot));
        if bless {
            std::fs::write(&path, text).expect("writes");
            continue;
        }
        let old = std::fs::read_to_string(&path).unwrap_or_default();
        if old != text {
            failures.push(format!("{}: {}", path.display(), difference(&old, &text)));
        }
    }
    let hint = "if this is meant, run with CATCHMENT_BLESS=1 and read the diff";
    assert!(failures.is_empty(), "{} of {} differ; {hint}\n{}", failures.len(), SNAPSHOTS.len(), failures.join("\n"));
}

#[test]
fn the_fit_is_as_committed() {
    let names = |list: [&str; 2]| list.map(str::to_owned);
    let residuals = Residuals::parse("a * exp(-c * t)", "y", &names(["a", "c"]), &names(["t", "y"])).expect("a model");
    let columns = vec![FitColumn::Shared(&[]), FitColumn::Own(&[])];
    let fit = BatchedFit { columns, ..BatchedFit::new(&residuals, FitRows::Equal(0), &[]) };
    let text = catchment::fit_wgsl(&fit).expect("prints");
    support::validate(&text).expect("valid WGSL");
    let path = folder().join(FIT);
    if std::env::var_os("CATCHMENT_BLESS").is_some() {
        std::fs::write(&path, &text).expect("writes");
    }
    let old = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(old == text, "{}: {}", path.display(), difference(&old, &text));
}

#[test]
fn every_committed_shader_has_its_row() {
    for entry in std::fs::read_dir(folder()).expect("a folder") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        assert!(name == FIT || SNAPSHOTS.iter().any(|s| file(s) == name), "{name} belongs to no row");
    }
}
