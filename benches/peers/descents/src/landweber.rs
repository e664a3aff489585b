//! argmin: its solver with fixed steps is Landweber's, x - omega * gradient. A restart a problem, over the cores by rayon.

use crate::case::{Case, Surface};
use argmin::core::{CostFunction, Error, Executor, Gradient, State};
use argmin::solver::landweber::Landweber;
use rayon::prelude::*;
use std::f32::consts::{E, TAU};

struct Problem<'a>(&'a Case);

impl CostFunction for Problem<'_> {
    type Param = Vec<f32>;
    type Output = f32;

    fn cost(&self, x: &Vec<f32>) -> Result<f32, Error> {
        let (first, n) = (self.0.first(), x.len() as f32);
        let squares: f32 = x.iter().map(|x| x * x).sum();
        Ok(match self.0.surface {
            Surface::Rastrigin => x.iter().map(|x| x * x + first * (1.0 - (TAU * x).cos())).sum(),
            Surface::Rosenbrock => {
                x.windows(2).map(|w| first * (w[1] - w[0] * w[0]).powi(2) + (1.0 - w[0]).powi(2)).sum()
            }
            Surface::Ackley => {
                let wave = x.iter().map(|x| (TAU * x).cos()).sum::<f32>() / n;
                first * (1.0 - (-0.2 * (squares / n).sqrt()).exp()) + (E - wave.exp())
            }
            Surface::Griewank => {
                let product: f32 = (1..).zip(x).map(|(i, x)| (x / (i as f32).sqrt()).cos()).product();
                squares * first + (1.0 - product)
            }
            Surface::StyblinskiTang => x.iter().map(|x| x.powi(4) - first * x * x + 5.0 * x).sum::<f32>() / 2.0,
        })
    }
}

impl Gradient for Problem<'_> {
    type Param = Vec<f32>;
    type Gradient = Vec<f32>;

    fn gradient(&self, x: &Vec<f32>) -> Result<Vec<f32>, Error> {
        let (first, n) = (self.0.first(), x.len());
        Ok(match self.0.surface {
            Surface::Rastrigin => x.iter().map(|x| 2.0 * x + first * TAU * (TAU * x).sin()).collect(),
            Surface::Rosenbrock => {
                let mut g = vec![0.0; n];
                for i in 0..n - 1 {
                    let gap = 2.0 * first * (x[i + 1] - x[i] * x[i]);
                    g[i] += -2.0 * x[i] * gap - 2.0 * (1.0 - x[i]);
                    g[i + 1] += gap;
                }
                g
            }
            Surface::Ackley => {
                let n = n as f32;
                let r = (x.iter().map(|x| x * x).sum::<f32>() / n).sqrt();
                let wave = (x.iter().map(|x| (TAU * x).cos()).sum::<f32>() / n).exp() * TAU / n;
                let pull = if r > 0.0 { first * 0.2 * (-0.2 * r).exp() / (n * r) } else { 0.0 };
                x.iter().map(|x| pull * x + wave * (TAU * x).sin()).collect()
            }
            Surface::Griewank => {
                let roots: Vec<f32> = (1..=n).map(|i| 1.0 / (i as f32).sqrt()).collect();
                let waves: Vec<(f32, f32)> = x.iter().zip(&roots).map(|(x, r)| (x * r).sin_cos()).collect();
                let (mut g, mut before, mut behind) = (vec![0.0; n], 1.0, 1.0);
                for i in 0..n {
                    g[i] = waves[i].0 * before * roots[i];
                    before *= waves[i].1;
                }
                for i in (0..n).rev() {
                    g[i] = 2.0 * first * x[i] + g[i] * behind;
                    behind *= waves[i].1;
                }
                g
            }
            Surface::StyblinskiTang => x.iter().map(|x| (2.0 * x * x - first) * x + 2.5).collect(),
        })
    }
}

fn descend(case: &Case, start: Vec<f32>, steps: usize) -> Vec<f32> {
    let solver = Landweber::new(case.lr);
    let run = Executor::new(Problem(case), solver)
        .configure(|state| state.param(start.clone()).max_iters(steps as u64))
        .timer(false)
        .run();
    match run {
        Ok(done) => done.state().get_param().cloned().unwrap_or(start),
        Err(_) => vec![f32::NAN; start.len()],
    }
}

pub fn run(case: &Case, seed: u32) -> Vec<f32> {
    let (lo, hi) = case.surface.domain();
    let one = |restart: usize| {
        // splitmix64; the restart's number is mixed first, or restarts would be pieces of one sequence that overlap.
        let mix = |z: u64| {
            let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        let mut state = mix(mix(u64::from(seed) + 1) ^ restart as u64);
        let mut unit = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            (mix(state) >> 40) as f32 / 16_777_216.0
        };
        let start = (0..case.dim).map(|_| lo + (hi - lo) * unit()).collect();
        let end = descend(case, start, case.steps);
        Problem(case).cost(&end).unwrap_or(f32::NAN)
    };
    (0..case.restarts).into_par_iter().map(one).collect()
}

pub fn points(case: &Case, starts: &[f32], steps: usize) -> Vec<f32> {
    starts.chunks(case.dim).flat_map(|x| descend(case, x.to_vec(), steps)).collect()
}
