//! Formulas nobody would type: every form of a random formula means the same, and no text at all makes a panic.

mod support;

use catchment::kernel::{lower_nest, lower_straight};
use catchment::random::Domain;
use catchment::step::Evaluation;
use catchment::{Engine, Error, Plan, Precision, Surface, SurfaceText};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::cell::RefCell;
use support::bounds::{Rounded, Running};
use support::catalog::points;
use support::formulas::{Tape, formula};
use support::interpreter::Lane;
use support::report::Report;
use support::{checks, engines, gpu};

/// A runner whose cases are the same every time and that writes no files. `CATCHMENT_FUZZ=FACTOR:SEED` hunts further:
/// so many times the cases, from another seed.
fn runner(cases: u32) -> TestRunner {
    let wish = std::env::var("CATCHMENT_FUZZ").unwrap_or_default();
    let (factor, seed) = wish.split_once(':').unwrap_or(("1", "0"));
    let (factor, seed): (u32, u64) = (factor.parse().expect("a factor"), seed.parse().expect("a seed"));
    let config =
        Config { cases: factor * cases, failure_persistence: None, max_shrink_iters: 3000, ..Config::default() };
    let seed: Vec<u8> = (0..4).flat_map(|k: u64| (seed + k).to_le_bytes()).collect();
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
}

fn tapes() -> impl Strategy<Value = (Vec<u16>, usize)> {
    (prop::collection::vec(any::<u16>(), 4..120), prop::sample::select(vec![1usize, 2, 3, 4, 5, 9, 10, 13]))
}

/// Checks one formula in every form; the reports say how much could be compared.
fn agree(text: &str, n: usize, reports: &mut [Report; 4]) -> Result<(), TestCaseError> {
    let domain = Domain::cube(n, 0.25, 2.0);
    let surface = match Surface::formula(text, domain) {
        Ok(surface) => surface,
        // A mistake in the numbers alone, a folded infinity or a division by zero, is told and is fine.
        Err(Error::Formula(_)) => return Ok(()),
        Err(other) => return Err(TestCaseError::fail(format!("{text}\n{other}"))),
    };
    let [simplified, kernels, engine, shaders] = reports;
    let evaluation = Evaluation::new(&surface);
    let outputs = evaluation.outputs(true);
    let before = simplified.failed() + kernels.failed() + engine.failed();
    let points = points(&surface, 2, 51);
    for precision in [Precision::F64, Precision::F32] {
        checks::values(engine, &Engine::cpu(), precision.name(), &surface, &surface, &points, precision, 51);
    }
    for x in &points {
        checks::simplified(simplified, &surface, &evaluation, x, 51);
        let straight = lower_straight(&evaluation.graph, &outputs, n as u32, 50_000);
        let loops = lower_nest(&evaluation.graph, &outputs, n as u32);
        for (form, kernel) in [("straight", straight), ("loops", loops)] {
            let Some(kernel) = kernel else {
                kernels.skip();
                continue;
            };
            let lane = Lane::at(x.iter().map(|&v| Rounded::exact(v)).collect());
            checks::kernel(kernels, form, &kernel, &evaluation.graph, &outputs, &lane, 51);
        }
    }
    let failed = simplified.failed() + kernels.failed() + engine.failed() - before;
    let last = [simplified.last(), kernels.last(), engine.last()];
    prop_assert!(failed == 0, "n={n}: {failed} comparisons fail: {last:?}\n{text}");
    if let Ok(plan) = Plan::new(surface).optimizer("momentum").resolve() {
        let verdict = catchment::wgsl(&plan).map_err(|e| e.to_string()).and_then(|text| support::validate(&text));
        shaders.require(verdict.is_ok(), || text.to_owned());
        prop_assert!(verdict.is_ok(), "n={n}: {}\n{text}", verdict.err().unwrap_or_default());
    }
    Ok(())
}

#[test]
fn every_form_of_a_formula_means_the_same() {
    let reports = RefCell::new(["simplified", "kernels", "engine", "WGSL"].map(Report::new));
    let outcome = runner(600).run(&tapes(), |(tape, n)| {
        let text = formula(&mut Tape::new(&tape), n);
        agree(&text, n, &mut reports.borrow_mut())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    for (report, least) in reports.into_inner().into_iter().zip([2_000, 4_000, 4_000, 300]) {
        report.finish(least);
    }
}

/// WGSL lets a driver reorder sums: Mesa turns (a + b) + 285 into (a + 285) + b, which rounds twice where the formula
/// rounds once. The bound is the formula's, so twice as much is allowed.
const REORDERED: f64 = 2.0;

/// A shader that ran has written, whatever its driver makes of a division by zero.
#[test]
fn an_infinite_value_is_no_failure_of_the_device() {
    for backend in engines() {
        for text in ["sum(x[::2]/(x - x[::2]))", "sum(1/(x - x[::2]))", "log(x[0] - 9)", "x[0]/(x[0] - x[0])"] {
            let surface = Surface::formula(text, Domain::cube(1, 0.25, 2.0)).expect("a formula");
            let points = points(&surface, 40, 53).concat();
            let result = backend.engine.evaluate(&surface, &points, Precision::F32);
            assert!(result.is_ok(), "{} {text}: {result:?}", backend.name);
        }
    }
}

#[test]
fn a_gpu_computes_random_formulas() {
    let Some(gpu) = gpu() else { return };
    let report = RefCell::new(Report::new("random formulas"));
    let outcome = runner(50).run(&tapes(), |(tape, n)| {
        let text = formula(&mut Tape::new(&tape), n);
        let Ok(surface) = Surface::formula(&text, Domain::cube(n, 0.25, 2.0)) else { return Ok(()) };
        if Plan::new(surface.clone()).optimizer("sgd").resolve().is_err() {
            return Ok(());
        }
        let mut report = report.borrow_mut();
        let before = report.failed();
        let points = points(&surface, 40, 52);
        // A driver may take it that nothing is infinite: formulas that are have their own test below.
        if points.iter().any(|x| !checks::value(&surface, x).is_finite()) {
            report.skip();
            return Ok(());
        }
        checks::values_within(
            &mut report,
            &gpu.engine,
            "gpu",
            &surface,
            &surface,
            &points,
            Precision::F32,
            52,
            REORDERED,
        );
        prop_assert!(report.failed() == before, "n={n}: {:?}\n{text}", report.last());
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    report.into_inner().finish(3_000);
}

/// Formulas that were found wanting, kept.
#[test]
fn formulas_that_once_failed() {
    let mut reports = ["simplified", "kernels", "engine", "WGSL"].map(Report::new);
    for (n, text) in REGRESSIONS {
        agree(text, *n, &mut reports).unwrap_or_else(|error| panic!("{error}"));
    }
}

const REGRESSIONS: &[(usize, &str)] = &[
    // An error bound scaled from f32 to f64 saturates where the sine's argument is huge.
    (10, "sum(sin(sinh((x + range(1, 11))*(x[7]*x[2]*x[-1]*3*x[8]*pi*x[1]))) + x)"),
    // No number: the simplified form has one, since a square undoes the root.
    (3, "-norm([1.5, x[0], -2]^0.5)"),
    // A product of one element in a loop of one turn.
    (9, "prod(j in range(1, 5): where(1e-3 <= x[j] and x[0] < x[0], x[0], x[0]))"),
];

/// Sizes beyond every limit are told, and not allocated.
#[test]
fn texts_that_ask_for_too_much_are_told() {
    for text in [
        "x[2000000] in [-1, 1]\n\nsum(x^2)\n",
        "x[4000000000] in [-1, 1]; y[4000000000] in [-1, 1]\n\nsum(x^2)\n",
        "x[n] in [-1, 1]\n\nsum(x)*sum(range(0, 1000000000))\n",
    ] {
        let result = SurfaceText::parse("large", "large.surf", text).and_then(|s| s.at(s.dim().or(Some(4))));
        assert!(result.is_err(), "{text:?} is taken");
    }
}

/// Words and signs of the language, and a few that are not.
const WORDS: &[&str] = &[
    "x",
    "n",
    "g",
    "t",
    "T",
    "m",
    "v",
    "pi",
    "e",
    "1",
    "0",
    "2.5",
    "1e9",
    "1e-400",
    "1e400",
    "999999999999",
    "(",
    ")",
    "[",
    "]",
    ",",
    ":",
    ";",
    "\n",
    " ",
    "+",
    "-",
    "*",
    "/",
    "^",
    "@",
    "=",
    "==",
    "<",
    ">",
    "<=",
    "!=",
    "and",
    "or",
    "not",
    "in",
    "at",
    "hyper",
    "state",
    "option",
    "minimum",
    "data",
    "matrix",
    "log",
    "sum",
    "prod",
    "min",
    "norm",
    "range",
    "where",
    "cumsum",
    "normal",
    "uniform",
    "log_uniform",
    "sum(j in range(0, 3): ",
    "x[n] in [-1, 1]\n",
    "x = x - g\n",
    "hyper lr = 1\n",
    "# c\n",
    "adam",
    "sgd(lr=",
    "|",
    "noise",
    "..",
    "$",
    "é",
    "\u{0}",
    "\t",
    "\"",
    "//",
    "**",
    "&&",
    "?",
    "x[",
    "x[1:]",
    "[1, 2]",
];

fn soups() -> impl Strategy<Value = String> {
    let words = prop::collection::vec(prop::sample::select(WORDS), 0..40).prop_map(|w| w.concat());
    let spaced = prop::collection::vec(prop::sample::select(WORDS), 0..40).prop_map(|w| w.join(" "));
    prop_oneof![words, spaced, any::<String>(), "[ -~\n]{0,80}"]
}

/// A mistake is told in one diagnostic that points into the text.
fn told(text: &str, result: Result<(), Error>) -> Result<(), TestCaseError> {
    let Err(error) = result else { return Ok(()) };
    let drawn = error.to_string();
    prop_assert!(!drawn.is_empty() && drawn.matches("error:").count() <= 1 + text.matches("error:").count(), "{drawn}");
    if let Error::Formula(diagnostic) = &error {
        let (start, end) = (diagnostic.span.start as usize, diagnostic.span.end as usize);
        prop_assert!(start <= end && end <= diagnostic.source.text.len(), "{start}..{end} of {text:?}");
        prop_assert_eq!(drawn.lines().count(), 5, "{}", drawn);
    }
    Ok(())
}

#[test]
fn no_text_makes_a_panic() {
    let outcome = runner(6000).run(&soups(), |text| {
        told(&text, Surface::formula(&text, Domain::cube(3, -1.0, 1.0)).map(|_| ()))?;
        told(
            &text,
            SurfaceText::parse("soup", "soup.surf", &text).and_then(|s| s.at(s.dim().or(Some(4)))).map(|_| ()),
        )?;
        told(&text, catchment::optimizer::OptimizerText::parse("soup", "soup.opt", &text).map(|_| ()))?;
        told(&text, catchment::optimizer::configurations(&text).map(|_| ()))
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// Catalog texts with one piece cut out, doubled or replaced.
#[test]
fn no_broken_catalog_text_makes_a_panic() {
    let names: Vec<&str> = catchment::catalog::surfaces().collect();
    let strategy = (prop::sample::select(names), any::<prop::sample::Index>(), 0usize..12, prop::sample::select(WORDS));
    let outcome = runner(3000).run(&strategy, |(name, at, len, word)| {
        let (_, text) = catchment::catalog::surface_text(name).expect("a catalog surface");
        let characters: Vec<char> = text.chars().collect();
        let from = at.index(characters.len());
        let to = (from + len).min(characters.len());
        let text: String =
            characters[..from].iter().chain(word.chars().collect::<Vec<_>>().iter()).chain(&characters[to..]).collect();
        told(&text, SurfaceText::parse(name, name, &text).and_then(|s| s.at(s.dim().or(Some(4)))).map(|_| ()))
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// Optimizers of the catalog broken in the same way, composed with a surface.
#[test]
fn no_broken_optimizer_makes_a_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("broken.opt");
    let names: Vec<&str> = catchment::catalog::optimizers().collect();
    let strategy = (prop::sample::select(names), any::<prop::sample::Index>(), 0usize..12, prop::sample::select(WORDS));
    let surface = Surface::formula("sum(x^2) + x[0]*x[1]", Domain::cube(3, -1.0, 1.0)).expect("a formula");
    let outcome = runner(1500).run(&strategy, |(name, at, len, word)| {
        let (_, text) = catchment::catalog::optimizer_text(name).expect("a catalog optimizer");
        let from = at.index(text.len());
        let (head, tail) = (&text[..from], &text[(from + len).min(text.len())..]);
        let text = format!("{head}{word}{tail}");
        std::fs::write(&path, &text).expect("writes");
        let chain = format!("{} | sgd", path.display());
        for chain in [chain, path.display().to_string()] {
            let result = Plan::new(surface.clone()).optimizer(chain).resolve();
            told(&text, result.map(|_| ()))?;
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
