//! The 27 nonlinear regressions of the NIST Statistical Reference Datasets, held to their certified digits.
//!
//! Every problem is fitted from each of NIST's two starts alone, and from 1,000 random starts. Parameters must have 8 digits
//! (against the certified values as refined at 40 digits), residual sums 9, standard errors 6. What double precision or
//! a single start cannot do stands in a list, with the reason, and the list must be exact: an exception that is no
//! longer needed fails as well.
//!
//! The random starts know nothing of the certified values. A parameter's box spans from a tenth of the smaller to ten times the
//! larger of NIST's two starts, log-uniformly where both are positive; where both are negative the same mirrored, uniformly;
//! where their signs differ, ten times the larger on both sides.
//!
//! `CATCHMENT_NIST_TABLE=benches/results/nist.md cargo test --test nist` writes the table anew.

mod support;

use catchment::fit::{Fit, Fitted, Residuals, Solution};
use catchment::random::Domain;
use serde_json::Value;
use std::fmt::Write;
use support::oracle::{data, numbers};

const RESTARTS: u64 = 1000;
const SEED: u64 = 1;
/// Iterations of a descent from a random start: those that are slower than this need not all be awaited.
const ITERATIONS: u32 = 300;
/// Digits that parameters, residual sums and standard errors must have.
const WANTED: [f64; 3] = [8.0, 9.0, 6.0];

/// Problem, run, and what is short of digits there.
const EXCEPTIONS: [(&str, Run, &[usize], &str); 3] = [
    ("Lanczos1", Run::Start1, &[1, 2], LANCZOS1),
    ("Lanczos1", Run::Start2, &[1, 2], LANCZOS1),
    ("Lanczos1", Run::Random, &[1, 2], LANCZOS1),
];
const LANCZOS1: &str =
    "residuals of 1e-13 beside values of 2.5: f64 rounds each by 0.3 % of itself, so rss and errors have 2 or 3 digits";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Run {
    Start1,
    Start2,
    Random,
}

struct Problem {
    name: String,
    difficulty: String,
    residuals: Residuals,
    columns: Vec<Vec<f64>>,
    starts: Vec<Vec<f64>>,
    parameters: Vec<f64>,
    standard_errors: Vec<f64>,
    rss: f64,
}

fn problems() -> Vec<Problem> {
    let document = data("nist_strd.json.gz");
    let all = document["problems"].as_array().expect("problems");
    assert_eq!(all.len(), 27);
    all.iter().map(problem).collect()
}

fn problem(p: &Value) -> Problem {
    let list = |key: &str| numbers(&p[key]).expect("numbers");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let parameters = list("polished");
    let names: Vec<String> = (1..=parameters.len()).map(|i| format!("b{i}")).collect();
    let mut columns: Vec<String> = p["predictors"].as_array().expect("names").iter().map(text).collect();
    columns.push("y".to_owned());
    let y = if p["response_transform"] == "identity" { "y" } else { "log(y)" };
    Problem {
        name: text(&p["name"]),
        difficulty: text(&p["difficulty"]),
        residuals: Residuals::parse(&text(&p["model"]), y, &names, &columns).expect("a model"),
        columns: columns.iter().map(|c| list(c)).collect(),
        starts: p["starts"].as_array().expect("starts").iter().map(|s| numbers(s).expect("numbers")).collect(),
        parameters,
        standard_errors: list("certified_sd"),
        rss: p["polished_rss"].as_f64().expect("a number"),
    }
}

/// The box of the rule above.
fn boxes(starts: &[Vec<f64>]) -> Domain {
    let mut domain = Domain::cube(starts[0].len(), 0.0, 0.0);
    for (j, (&a, &b)) in starts[0].iter().zip(&starts[1]).enumerate() {
        let (small, large) = (0.1 * a.abs().min(b.abs()), 10.0 * a.abs().max(b.abs()));
        let sides = if a > 0.0 && b > 0.0 {
            (small, large, true)
        } else if a < 0.0 && b < 0.0 {
            (-large, -small, false)
        } else {
            (-large, large, false)
        };
        (domain.lo[j], domain.hi[j], domain.log[j]) = sides;
    }
    domain
}

/// Correct digits: the negative logarithm of the relative error, 16 at most.
fn digits(got: f64, want: f64) -> f64 {
    let error = ((got - want) / want).abs();
    if error.is_nan() { 0.0 } else { -error.clamp(1e-16, 1.0).log10() + 0.0 }
}

fn fewest(got: &[f64], want: &[f64]) -> f64 {
    got.iter().zip(want).map(|(&g, &w)| digits(g, w)).fold(16.0, f64::min)
}

/// What a fit got right.
struct Score {
    digits: [f64; 3],
    /// Starts that led to the certified residual sum.
    hits: u64,
    starts: u64,
    solutions: usize,
    iterations: u64,
}

impl Problem {
    fn fit(&self) -> Fit<'_> {
        let columns: Vec<&[f64]> = self.columns.iter().map(|c| &c[..]).collect();
        Fit::new(&self.residuals, &columns)
    }

    fn run(&self, run: Run) -> Score {
        let fit = match run {
            Run::Start1 => self.fit().start(&self.starts[0]),
            Run::Start2 => self.fit().start(&self.starts[1]),
            Run::Random => {
                self.fit().boxes(boxes(&self.starts)).restarts(RESTARTS).seed(SEED).max_iterations(ITERATIONS)
            }
        };
        self.score(&fit.run().expect("a fit"))
    }

    fn score(&self, fitted: &Fitted) -> Score {
        // Sums of like terms have one solution for every order of them, all as good as the certified one.
        let within = if self.rss < 1e-20 { 0.1 } else { 1e-6 };
        let tied = |s: &&Solution| s.cost <= fitted.cost + within * self.rss;
        let tied: Vec<&Solution> = fitted.solutions.iter().filter(tied).collect();
        let fits = |s: &Solution| fewest(&s.parameters, &self.parameters);
        let nearest = tied.iter().max_by(|a, b| fits(a).total_cmp(&fits(b))).expect("a solution");
        // Standard errors are those of the best solution alone; ask for this one's.
        let again = self.fit().start(&nearest.parameters).run().expect("a fit");
        let errors: Vec<f64> = again.parameters.iter().map(|p| p.standard_error.unwrap_or(f64::NAN)).collect();
        let certified = |s: &&Solution| s.cost <= self.rss * (1.0 + within);
        Score {
            digits: [fits(nearest), digits(nearest.rss, self.rss), fewest(&errors, &self.standard_errors)],
            hits: fitted.solutions.iter().filter(certified).map(|s| s.hits).sum(),
            starts: fitted.starts,
            solutions: fitted.solutions.len(),
            iterations: fitted.iterations,
        }
    }
}

fn short(score: &Score) -> Vec<usize> {
    (0..3).filter(|&k| !(score.digits[k] >= WANTED[k])).collect()
}

#[test]
fn certified_digits_are_reached() {
    let mut table = String::from(
        "| problem | difficulty | start 1 | iterations | start 2 | iterations | random | hits of 1000 | solutions | iterations |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    let mut failures = Vec::new();
    for problem in problems() {
        let _ = write!(table, "| {} | {} |", problem.name, problem.difficulty);
        for run in [Run::Start1, Run::Start2, Run::Random] {
            let score = problem.run(run);
            let [p, r, s] = score.digits;
            let _ = write!(table, " {p:.1} / {r:.1} / {s:.1} |");
            if run == Run::Random {
                let _ = write!(table, " {} | {} |", score.hits, score.solutions);
                assert_eq!(score.starts, RESTARTS);
            }
            let _ = write!(table, " {} |", score.iterations);
            let excepted = EXCEPTIONS.iter().find(|e| e.0 == problem.name && e.1 == run).map_or(&[][..], |e| e.2);
            if short(&score) != excepted {
                failures.push(format!("{} {run:?}: {:.2?}, excepted {excepted:?}", problem.name, score.digits));
            }
        }
        table.push('\n');
    }
    println!("{table}");
    if let Ok(path) = std::env::var("CATCHMENT_NIST_TABLE") {
        std::fs::write(&path, document(&table)).expect("the table's file");
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

fn document(table: &str) -> String {
    let reasons: String =
        EXCEPTIONS.iter().map(|(name, run, _, reason)| format!("* {name}, {run:?}: {reason}.\n")).collect();
    format!(
        "# NIST StRD nonlinear regression\n\n\
         Written by `CATCHMENT_NIST_TABLE=benches/results/nist.md cargo test --test nist`; the test holds the same numbers.\n\n\
         Cells are the fewest correct digits among parameters / of the residual sum / among standard errors; asked for are \
         8 / 9 / 6.\nCertified standard errors have 11 digits. `start 1` and `start 2` are fits from that one start, `random` is a \
         fit from {RESTARTS} starts\n(seed {SEED}, at most {ITERATIONS} iterations each) in a box from a tenth of the smaller to ten times the larger of the two starts; \
         hits are starts that led to the certified\nresidual sum, in whatever order of like terms. Iterations are those of \
         all starts together.\n\n{table}\nShort of digits, and why:\n\n{reasons}"
    )
}

#[test]
fn the_alarm_rings() {
    let problem = problems().into_iter().find(|p| p.name == "Thurber").expect("Thurber");
    let fitted = problem.fit().start(&problem.starts[1]).run().expect("a fit");
    assert!(short(&problem.score(&fitted)).is_empty());
    let wrong = |change: fn(&mut Problem)| {
        let mut problem = problems().into_iter().find(|p| p.name == "Thurber").expect("Thurber");
        change(&mut problem);
        short(&problem.score(&problem.fit().start(&problem.starts[1]).run().expect("a fit")))
    };
    assert_eq!(wrong(|p| p.parameters[4] *= 1.0 + 1e-7), [0]);
    assert_eq!(wrong(|p| p.rss *= 1.0 - 1e-8), [1]);
    assert_eq!(wrong(|p| p.standard_errors[6] *= 1.0 + 1e-5), [2]);
    // One observation in its sixth digit.
    assert_eq!(wrong(|p| p.columns[1][20] *= 1.0 + 1e-6), [0, 1, 2]);
    // A fit that is stopped short.
    let early = problem.fit().start(&problem.starts[1]).max_iterations(3).run().expect("a fit");
    assert!(short(&problem.score(&early)).contains(&0));
}
