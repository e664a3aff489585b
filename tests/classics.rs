//! Values and gradients of every catalog surface against the oracle: mpmath at 50 digits (tests/data/README.md).

mod support;

use catchment::{Engine, Surface};
use support::report::Report;

#[test]
fn the_catalog_equals_the_oracle_in_f64() {
    let mut report = Report::new("oracle");
    let engine = Engine::cpu();
    for case in support::oracle::classics() {
        let surface = Surface::named(&case.name, Some(case.dim)).expect("a catalog surface");
        support::checks::oracle(&mut report, &engine, &surface, &case);
    }
    report.finish(10_000);
}
