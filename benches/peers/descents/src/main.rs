//! `descents PEER THREADS`: a worker of `benches/peers/descents.py`. Requests come as lines, answers are lines of JSON, the
//! first of them unasked ({"device": …}):
//!
//! ```text
//! case SURFACE RULE LR DIM RESTARTS STEPS   prepares: {"note": …} or {"skip": why}
//! check STARTS STEPS OUT                    points after STEPS steps from those in a file (f32, a point after the other)
//! run SEED OUT                              the timed run: {"run_s": …}; final values to a file
//! ```

mod case;
mod landweber;
mod lanes;
mod simd;

use case::{Case, Rule, Surface};
use std::io::{BufRead, Write};
use std::time::Instant;

#[derive(Clone, Copy, PartialEq)]
enum Peer {
    Simd { fma: bool },
    Argmin,
}

fn read(path: &str) -> Result<Vec<f32>, String> {
    let bytes = std::fs::read(path).map_err(|e| format!("{path}: {e}"))?;
    Ok(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
}

fn write(path: &str, numbers: &[f32]) -> Result<(), String> {
    let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
    std::fs::write(path, bytes).map_err(|e| format!("{path}: {e}"))
}

struct Worker {
    peer: Peer,
    spoil: f32,
    case: Option<Case>,
    unroll: usize,
}

impl Worker {
    fn values(&self, case: &Case, seed: u32, unroll: usize) -> Vec<f32> {
        match self.peer {
            Peer::Simd { fma } => simd::run(case, unroll, fma, seed),
            Peer::Argmin => landweber::run(case, seed),
        }
    }

    fn answer(&mut self, words: &[&str]) -> Result<String, String> {
        let bad = || format!("cannot read {words:?}");
        match words {
            ["case", surface, rule, lr, dim, restarts, steps] => {
                let case = Case {
                    surface: Surface::parse(surface).ok_or_else(bad)?,
                    rule: Rule::parse(rule).ok_or_else(bad)?,
                    lr: lr.parse().map_err(|_| bad())?,
                    dim: dim.parse().map_err(|_| bad())?,
                    restarts: restarts.parse().map_err(|_| bad())?,
                    steps: steps.parse().map_err(|_| bad())?,
                    spoil: self.spoil,
                };
                if self.peer == Peer::Argmin && case.rule != Rule::Sgd {
                    return Ok(r#"{"skip":"argmin has steepest descent only"}"#.to_owned());
                }
                let note = self.prepare(&case);
                self.case = Some(case);
                Ok(format!(r#"{{"note":"{note}"}}"#))
            }
            ["check", starts, steps, out] => {
                let case = self.case.as_ref().ok_or_else(bad)?;
                let (starts, steps) = (read(starts)?, steps.parse().map_err(|_| bad())?);
                let points = match self.peer {
                    Peer::Simd { fma } => simd::points(case, self.unroll, fma, &starts, steps),
                    Peer::Argmin => landweber::points(case, &starts, steps),
                };
                write(out, &points)?;
                Ok("{}".to_owned())
            }
            ["run", seed, out] => {
                let case = self.case.as_ref().ok_or_else(bad)?;
                let seed = seed.parse().map_err(|_| bad())?;
                let began = Instant::now();
                let values = self.values(case, seed, self.unroll);
                let seconds = began.elapsed().as_secs_f64();
                write(out, &values)?;
                Ok(format!(r#"{{"run_s":{seconds}}}"#))
            }
            _ => Err(bad()),
        }
    }

    /// Warms up, and finds the fastest width of a block.
    fn prepare(&mut self, case: &Case) -> String {
        if self.peer == Peer::Argmin {
            let few = Case { restarts: case.restarts.min(100), ..case.clone() };
            self.values(&few, 0, 1);
            return "Landweber: fixed steps".to_owned();
        }
        // As many restarts as take a few milliseconds, so that the choice is not noise; more than one block of each width.
        let restarts = case.restarts.clamp(1, (2_000_000 / case.dim / case.steps.max(1) * 10).max(2048));
        let few = Case { restarts, ..case.clone() };
        let time = |unroll| {
            (0..3).map(|_| (Instant::now(), self.values(&few, 0, unroll)).0.elapsed()).min().unwrap_or_default()
        };
        self.unroll = simd::UNROLLS.into_iter().min_by_key(|&u| time(u)).unwrap_or(1);
        format!("{} x {} {} lanes", self.unroll, lanes::WIDTH, lanes::NAME)
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (peer, threads) = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["simd", threads] => (Peer::Simd { fma: false }, threads),
        ["simd-fma", threads] => (Peer::Simd { fma: true }, threads),
        ["argmin", threads] => (Peer::Argmin, threads),
        _ => {
            eprintln!("usage: descents simd|simd-fma|argmin THREADS");
            std::process::exit(2);
        }
    };
    let threads = threads.parse().unwrap_or(1);
    if let Err(error) = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global() {
        eprintln!("{error}");
        std::process::exit(1);
    }
    let spoil = std::env::var("DESCENTS_SPOIL").ok().and_then(|s| s.parse().ok()).unwrap_or(1.0);
    println!(r#"{{"device":"cpu, {}"}}"#, lanes::NAME);
    let mut worker = Worker { peer, spoil, case: None, unroll: 1 };
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = worker.answer(&words).unwrap_or_else(|e| format!("{{\"error\":{e:?}}}"));
        println!("{answer}");
        let _ = std::io::stdout().flush();
    }
}
