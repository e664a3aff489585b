//! What this processor can do: surface, gradient and update rule fused by hand, a restart a lane.
//!
//! A block is `U` registers of restarts, structure of arrays: row `i` holds coordinate `i` of every lane. A step makes one
//! pass over the rows, or two where the gradient needs a sum first. With two coordinates (`D` = 2) everything stays in
//! registers from the first step to the last; other dimensions are run-time values and rows stay in the first-level cache.
//! Steps are the outer loop, as in any engine that takes every surface: separable surfaces would allow the reverse.

use crate::case::{Case, Rule, Surface};
use crate::lanes::{Lanes, WIDTH};
use rayon::prelude::*;
use std::f32::consts::{E, TAU};

/// How many registers of restarts a block has: the fastest is taken at warm-up.
pub const UNROLLS: [usize; 4] = [1, 2, 4, 8];

/// One row: a number of every lane of a block.
#[repr(align(64))]
#[derive(Clone, Copy)]
struct Row<const F: bool, const U: usize>([Lanes<F>; U]);

impl<const F: bool, const U: usize> Row<F, U> {
    #[inline(always)]
    fn splat(x: f32) -> Self {
        Row([Lanes::splat(x); U])
    }
    #[inline(always)]
    fn new(f: impl FnMut(usize) -> Lanes<F>) -> Self {
        Row(std::array::from_fn(f))
    }
}

/// The arrays of a block: parameters, two states of the rule, two for intermediate results.
struct Rows<'a, const F: bool, const U: usize> {
    x: &'a mut [Row<F, U>],
    m: &'a mut [Row<F, U>],
    v: &'a mut [Row<F, U>],
    a: &'a mut [Row<F, U>],
    b: &'a mut [Row<F, U>],
}

/// What is the same in all lanes at a step: the learning rate, and Adam's bias corrections in it.
#[derive(Clone, Copy)]
struct Scalars {
    rate: f32,
    second: f32,
    eps: f32,
}

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;

impl<const F: bool, const U: usize> Rows<'_, F, U> {
    /// The update of coordinate `i` with its gradient.
    #[inline(always)]
    fn update<const RULE: u8>(&mut self, i: usize, s: Scalars, gradient: impl Fn(usize) -> Lanes<F>) {
        let c = Lanes::<F>::splat;
        for u in 0..U {
            let g = gradient(u);
            let x = self.x[i].0[u];
            self.x[i].0[u] = match RULE {
                SGD => g.mad(c(-s.rate), x),
                MOMENTUM => {
                    let m = self.m[i].0[u].mad(c(BETA1), g);
                    self.m[i].0[u] = m;
                    m.mad(c(-s.rate), x)
                }
                // States stand without their factors 1 - beta, which the step's scalars hold, and the root of the second
                // correction is drawn out of the root.
                _ if F => {
                    let m = self.m[i].0[u].mad(c(BETA1), g);
                    let v = g.mad(g, self.v[i].0[u] * BETA2);
                    (self.m[i].0[u], self.v[i].0[u]) = (m, v);
                    (m * v.inverse_root_plus(s.eps)).negated_mad(c(s.rate), x)
                }
                _ => {
                    let m = self.m[i].0[u].mad(c(BETA1), g * (1.0 - BETA1));
                    let v = self.v[i].0[u].mad(c(BETA2), g * g * (1.0 - BETA2));
                    (self.m[i].0[u], self.v[i].0[u]) = (m, v);
                    x - (m * s.rate) / ((v * s.second).sqrt() + s.eps)
                }
            };
        }
    }

    /// A step. `n` is a constant after inlining where the dimension is.
    #[inline(always)]
    fn step<const SURFACE: u8, const RULE: u8>(&mut self, n: usize, k: &Constants, s: Scalars) {
        let c = Lanes::<F>::splat;
        match SURFACE {
            RASTRIGIN => {
                for i in 0..n {
                    let x = self.x[i];
                    self.update::<RULE>(i, s, |u| {
                        let (x, scale) = (x.0[u], c(k.first * TAU));
                        let sine = if F { x.sin_cos_turns().0 } else { (x * TAU).sin_cos().0 };
                        sine.mad(scale, x + x)
                    });
                }
            }
            ROSENBROCK => {
                // One pass in place: the next coordinate is still the old one, and of the one before a term is carried.
                let mut carried = Row::<F, U>::splat(0.0);
                for i in 0..n {
                    let x = self.x[i];
                    if i + 1 == n {
                        self.update::<RULE>(i, s, |u| carried.0[u]);
                        break;
                    }
                    let next = self.x[i + 1];
                    let gap = Row::<F, U>::new(|u| (next.0[u] - x.0[u] * x.0[u]) * (2.0 * k.first));
                    self.update::<RULE>(i, s, |u| {
                        let own = (x.0[u] + x.0[u]) - 2.0;
                        (c(-2.0) * x.0[u]).mad(gap.0[u], carried.0[u] + own)
                    });
                    carried = gap;
                }
            }
            ACKLEY => {
                let (mut squares, mut cosines) = (Row::<F, U>::splat(0.0), Row::<F, U>::splat(0.0));
                for i in 0..n {
                    for u in 0..U {
                        let x = self.x[i].0[u];
                        let (sin, cos) = if F { x.sin_cos_turns() } else { (x * TAU).sin_cos() };
                        squares.0[u] = x.mad(x, squares.0[u]);
                        cosines.0[u] = cosines.0[u] + cos;
                        self.a[i].0[u] = sin;
                    }
                }
                let mean = 1.0 / n as f32;
                let r = Row::<F, U>::new(|u| (squares.0[u] * mean).sqrt());
                let pull = Row::<F, U>::new(|u| {
                    let pull = (r.0[u] * -0.2).exp() * (k.first * 0.2 * mean) / r.0[u];
                    pull.where_positive(r.0[u])
                });
                let wave = Row::<F, U>::new(|u| (cosines.0[u] * mean).exp() * (TAU * mean));
                for i in 0..n {
                    let (x, sine) = (self.x[i], self.a[i]);
                    self.update::<RULE>(i, s, |u| pull.0[u].mad(x.0[u], wave.0[u] * sine.0[u]));
                }
            }
            GRIEWANK => {
                // The product without one factor is the product before it times that behind it: no division by a cosine.
                let mut before = Row::<F, U>::splat(1.0);
                for i in 0..n {
                    for u in 0..U {
                        let y = self.x[i].0[u] * k.roots[i];
                        let (sin, cos) = if F { y.sin_cos_quick() } else { y.sin_cos() };
                        self.a[i].0[u] = sin * before.0[u] * k.roots[i];
                        self.b[i].0[u] = cos;
                        before.0[u] = before.0[u] * cos;
                    }
                }
                let mut behind = Row::<F, U>::splat(1.0);
                for i in (0..n).rev() {
                    let (x, slope, cosine) = (self.x[i], self.a[i], self.b[i]);
                    self.update::<RULE>(i, s, |u| slope.0[u].mad(behind.0[u], x.0[u] * (2.0 * k.first)));
                    behind = Row::new(|u| behind.0[u] * cosine.0[u]);
                }
            }
            _ => {
                for i in 0..n {
                    let x = self.x[i];
                    self.update::<RULE>(i, s, |u| {
                        let x = x.0[u];
                        (x * x).mad(c(2.0), c(-k.first)).mad(x, c(2.5))
                    });
                }
            }
        }
    }

    /// The surface's value in every lane.
    #[inline(always)]
    fn values<const SURFACE: u8>(&self, n: usize, k: &Constants) -> Row<F, U> {
        let c = Lanes::<F>::splat;
        let mut sum = Row::<F, U>::splat(0.0);
        let mut other = Row::<F, U>::splat(if SURFACE == GRIEWANK { 1.0 } else { 0.0 });
        for i in 0..n {
            for u in 0..U {
                let x = self.x[i].0[u];
                let square = x * x;
                let angle = if SURFACE == GRIEWANK { x * k.roots[i] } else { x * TAU };
                sum.0[u] = sum.0[u]
                    + match SURFACE {
                        RASTRIGIN => square + (c(1.0) - angle.sin_cos().1) * k.first,
                        ROSENBROCK if i + 1 == n => c(0.0),
                        ROSENBROCK => {
                            let (gap, own) = (self.x[i + 1].0[u] - square, c(1.0) - x);
                            gap * gap * k.first + own * own
                        }
                        STYBLINSKI_TANG => (square * square - square * k.first + x * 5.0) * 0.5,
                        _ => square,
                    };
                match SURFACE {
                    ACKLEY => other.0[u] = other.0[u] + angle.sin_cos().1,
                    GRIEWANK => other.0[u] = other.0[u] * angle.sin_cos().1,
                    _ => (),
                }
            }
        }
        let mean = 1.0 / n as f32;
        Row::new(|u| match SURFACE {
            ACKLEY => {
                let (r, wave) = ((sum.0[u] * mean).sqrt(), (other.0[u] * mean).exp());
                (c(1.0) - (r * -0.2).exp()) * k.first + (c(E) - wave)
            }
            GRIEWANK => sum.0[u] * k.first + (c(1.0) - other.0[u]),
            _ => sum.0[u],
        })
    }
}

const RASTRIGIN: u8 = Surface::Rastrigin as u8;
const ROSENBROCK: u8 = Surface::Rosenbrock as u8;
const ACKLEY: u8 = Surface::Ackley as u8;
const GRIEWANK: u8 = Surface::Griewank as u8;
const STYBLINSKI_TANG: u8 = Surface::StyblinskiTang as u8;
const SGD: u8 = Rule::Sgd as u8;
const MOMENTUM: u8 = Rule::Momentum as u8;
const ADAM: u8 = Rule::Adam as u8;

/// A surface's numbers.
struct Constants {
    /// The surface's first coefficient.
    first: f32,
    /// 1/sqrt(i + 1), Griewank's.
    roots: Vec<f32>,
}

/// Where blocks begin.
#[derive(Clone, Copy)]
enum Starts<'a> {
    Uniform(u32),
    Given(&'a [f32]),
}

/// Final values of `case.restarts` restarts from uniform starts.
pub fn run(case: &Case, unroll: usize, fma: bool, seed: u32) -> Vec<f32> {
    let mut values = vec![0.0; case.restarts];
    dispatch(case, unroll, fma, Starts::Uniform(seed), case.steps, &mut values, None);
    values
}

/// Points after `steps` steps from given ones, a restart after the other.
pub fn points(case: &Case, unroll: usize, fma: bool, starts: &[f32], steps: usize) -> Vec<f32> {
    let n = starts.len() / case.dim;
    let (mut values, mut points) = (vec![0.0; n], vec![0.0; starts.len()]);
    dispatch(case, unroll, fma, Starts::Given(starts), steps, &mut values, Some(&mut points));
    points
}

/// Values of blocks of restarts, and their points where these are asked for.
type Out<'a> = (&'a mut [f32], Option<&'a mut [f32]>);

fn dispatch(
    case: &Case,
    unroll: usize,
    fma: bool,
    starts: Starts,
    steps: usize,
    values: &mut [f32],
    points: Option<&mut [f32]>,
) {
    macro_rules! choose {
        ($($surface:ident)*; $rules:tt) => { match case.surface as u8 { $($surface => choose!(@ $surface; $rules),)* _ => unreachable!() } };
        (@ $surface:ident; [$($rule:ident)*]) => { match case.rule as u8 { $($rule => choose!(@@ $surface $rule 1 2 4 8),)* _ => unreachable!() } };
        (@@ $surface:ident $rule:ident $($u:literal)*) => {
            match (unroll, fma, case.dim) { $(
                ($u, false, 2) => all::<$surface, $rule, false, $u, 2>(case, starts, steps, values, points),
                ($u, true, 2) => all::<$surface, $rule, true, $u, 2>(case, starts, steps, values, points),
                ($u, false, _) => all::<$surface, $rule, false, $u, 0>(case, starts, steps, values, points),
                ($u, true, _) => all::<$surface, $rule, true, $u, 0>(case, starts, steps, values, points),
            )* _ => unreachable!() }
        };
    }
    choose!(RASTRIGIN ROSENBROCK ACKLEY GRIEWANK STYBLINSKI_TANG; [SGD MOMENTUM ADAM])
}

fn all<const SURFACE: u8, const RULE: u8, const F: bool, const U: usize, const D: usize>(
    case: &Case,
    starts: Starts,
    steps: usize,
    values: &mut [f32],
    points: Option<&mut [f32]>,
) {
    let lanes = U * WIDTH;
    let constants = Constants { first: case.first(), roots: (1..=case.dim).map(|i| 1.0 / (i as f32).sqrt()).collect() };
    let scalars: Vec<Scalars> = (1..=steps)
        .map(|t| {
            let corrected = |beta: f32| 1.0 - f64::from(beta).powi(t as i32);
            let (rate, second) = (f64::from(case.lr) / corrected(BETA1), 1.0 / corrected(BETA2));
            let (rate, eps) = match case.rule {
                Rule::Adam if F => {
                    let root = (second * (1.0 - f64::from(BETA2))).sqrt();
                    (rate * (1.0 - f64::from(BETA1)) / root, 1e-8 / root)
                }
                Rule::Adam => (rate, 1e-8),
                _ => (f64::from(case.lr), 0.0),
            };
            Scalars { rate: rate as f32, second: second as f32, eps: eps as f32 }
        })
        .collect();
    let block = |buffer: &mut Vec<Row<F, U>>, (index, (values, points)): (usize, Out)| {
        let (x, rest) = buffer.split_at_mut(case.dim);
        let (m, rest) = rest.split_at_mut(case.dim);
        let (v, rest) = rest.split_at_mut(case.dim);
        let (a, b) = rest.split_at_mut(case.dim);
        fill::<F, U>(case, starts, index, x);
        for state in [&mut *m, &mut *v] {
            state.fill(Row::splat(0.0));
        }
        let last = if D == 0 {
            let mut rows = Rows { x, m, v, a, b };
            for s in &scalars {
                rows.step::<SURFACE, RULE>(case.dim, &constants, *s);
            }
            rows.values::<SURFACE>(case.dim, &constants)
        } else {
            // Arrays of the stack's, which the compiler takes apart into registers.
            let mut own: [[Row<F, U>; D]; 5] = [[Row::splat(0.0); D]; 5];
            own[0].copy_from_slice(x);
            let [px, pm, pv, pa, pb] = &mut own;
            let mut rows = Rows { x: px, m: pm, v: pv, a: pa, b: pb };
            for s in &scalars {
                rows.step::<SURFACE, RULE>(D, &constants, *s);
            }
            let last = rows.values::<SURFACE>(D, &constants);
            x.copy_from_slice(&own[0]);
            last
        };
        for (k, value) in values.iter_mut().enumerate() {
            *value = last.0[k / WIDTH].array()[k % WIDTH];
        }
        for (k, point) in points.into_iter().flat_map(|p| p.chunks_mut(case.dim)).enumerate() {
            for (i, x) in point.iter_mut().zip(&*x) {
                *i = x.0[k / WIDTH].array()[k % WIDTH];
            }
        }
    };
    let buffer = || {
        flush_subnormals();
        vec![Row::splat(0.0); 5 * case.dim]
    };
    match points {
        None => values.par_chunks_mut(lanes).map(|v| (v, None)).enumerate().for_each_init(buffer, block),
        Some(points) => {
            let points = points.par_chunks_mut(lanes * case.dim).map(Some);
            values.par_chunks_mut(lanes).zip(points).enumerate().for_each_init(buffer, block);
        }
    }
}

/// Products of a hundred cosines leave the range of normal numbers, where a product costs a hundred times as much.
fn flush_subnormals() {
    const FLUSH_AND_ZERO: u32 = 0x8040 | 0x1f80;
    // Sound as far as this program goes: no code here relies on subnormal results.
    unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &FLUSH_AND_ZERO, options(nostack, readonly)) };
}

#[inline(always)]
fn mix(mut h: u32) -> u32 {
    h = (h ^ (h >> 16)).wrapping_mul(0x21f0_aaad);
    h = (h ^ (h >> 15)).wrapping_mul(0x735a_2d97);
    h ^ (h >> 15)
}

fn fill<const F: bool, const U: usize>(case: &Case, starts: Starts, index: usize, x: &mut [Row<F, U>]) {
    let (lo, hi) = case.surface.domain();
    let first = (index * U * WIDTH) as u32;
    for (i, row) in x.iter_mut().enumerate() {
        for u in 0..U {
            let mut lanes = [0.0; WIDTH];
            match starts {
                Starts::Uniform(seed) => {
                    let salt = mix(seed ^ mix(i as u32 ^ 0x9e37_79b9));
                    for (l, x) in lanes.iter_mut().enumerate() {
                        let word = mix(mix(first + (u * WIDTH + l) as u32) ^ salt);
                        *x = lo + (hi - lo) * ((word >> 8) as f32 * (1.0 / 16_777_216.0));
                    }
                }
                Starts::Given(points) => {
                    for (l, x) in lanes.iter_mut().enumerate() {
                        *x = points.get((first as usize + u * WIDTH + l) * case.dim + i).copied().unwrap_or(0.5);
                    }
                }
            }
            row.0[u] = Lanes::load(&lanes);
        }
    }
}
