//! Eight surfaces with gradients by hand: each returns the value at `x` and fills `gradient`, of the same length.

use std::f64::consts::{E, PI};

/// A surface: `surface(x, gradient)` is the value.
pub type Surface = fn(&[f64], &mut [f64]) -> f64;

/// Every surface by its name in the catalog. `himmelblau` and `beale` have two dimensions, `rosenbrock` at least two.
pub const SURFACES: &[(&str, Surface)] = &[
    ("sphere", sphere),
    ("rosenbrock", rosenbrock),
    ("rastrigin", rastrigin),
    ("ackley", ackley),
    ("griewank", griewank),
    ("styblinski_tang", styblinski_tang),
    ("himmelblau", himmelblau),
    ("beale", beale),
];

/// De Jong, "An analysis of the behavior of a class of genetic adaptive systems", 1975, F1.
pub fn sphere(x: &[f64], gradient: &mut [f64]) -> f64 {
    let mut value = 0.0;
    for i in 0..x.len() {
        value += x[i] * x[i];
        gradient[i] = 2.0 * x[i];
    }
    value
}

/// Rosenbrock, "An automatic method for finding the greatest or least value of a function", 1960, summed over
/// neighbouring pairs.
pub fn rosenbrock(x: &[f64], gradient: &mut [f64]) -> f64 {
    let mut value = 0.0;
    gradient.fill(0.0);
    for i in 0..x.len() - 1 {
        let bend = x[i + 1] - x[i] * x[i];
        let rest = 1.0 - x[i];
        value += 100.0 * bend * bend + rest * rest;
        gradient[i] += -400.0 * x[i] * bend - 2.0 * rest;
        gradient[i + 1] += 200.0 * bend;
    }
    value
}

/// Rastrigin, "Systems of extremal control", 1974, in n dimensions (Mühlenbein, Schomisch & Born 1991).
pub fn rastrigin(x: &[f64], gradient: &mut [f64]) -> f64 {
    let mut value = 10.0 * x.len() as f64;
    for i in 0..x.len() {
        value += x[i] * x[i] - 10.0 * (2.0 * PI * x[i]).cos();
        gradient[i] = 2.0 * x[i] + 20.0 * PI * (2.0 * PI * x[i]).sin();
    }
    value
}

/// Ackley, "A connectionist machine for genetic hillclimbing", 1987, with a = 20, b = 0.2, c = 2π. At the origin the
/// root has no derivative: 0 is taken.
pub fn ackley(x: &[f64], gradient: &mut [f64]) -> f64 {
    let n = x.len() as f64;
    let mut squares = 0.0;
    let mut cosines = 0.0;
    for &v in x {
        squares += v * v / n;
        cosines += (2.0 * PI * v).cos() / n;
    }
    let root = squares.sqrt();
    let hole = 20.0 * (-0.2 * root).exp();
    let waves = cosines.exp();
    for i in 0..x.len() {
        let slope = if root > 0.0 { 0.2 * hole * x[i] / (n * root) } else { 0.0 };
        gradient[i] = slope + waves * 2.0 * PI * (2.0 * PI * x[i]).sin() / n;
    }
    20.0 - hole + E - waves
}

/// Griewank, "Generalized descent for global optimization", 1981, with the divisor 4000.
pub fn griewank(x: &[f64], gradient: &mut [f64]) -> f64 {
    let scale = |i: usize| ((i + 1) as f64).sqrt();
    let mut value = 1.0;
    let mut product = 1.0;
    for i in 0..x.len() {
        value += x[i] * x[i] / 4000.0;
        product *= (x[i] / scale(i)).cos();
    }
    for i in 0..x.len() {
        // The other factors multiplied out: dividing the product by a cosine fails where that is zero.
        let mut others = 1.0;
        for j in 0..x.len() {
            if j != i {
                others *= (x[j] / scale(j)).cos();
            }
        }
        gradient[i] = x[i] / 2000.0 + others * (x[i] / scale(i)).sin() / scale(i);
    }
    value - product
}

/// Styblinski & Tang, "Experiments in nonconvex optimization", 1990.
pub fn styblinski_tang(x: &[f64], gradient: &mut [f64]) -> f64 {
    let mut value = 0.0;
    for i in 0..x.len() {
        let v = x[i];
        value += (v * v * v * v - 16.0 * v * v + 5.0 * v) / 2.0;
        gradient[i] = 2.0 * v * v * v - 16.0 * v + 2.5;
    }
    value
}

/// Himmelblau, "Applied nonlinear programming", 1972.
pub fn himmelblau(x: &[f64], gradient: &mut [f64]) -> f64 {
    let (u, v) = (x[0], x[1]);
    let first = u * u + v - 11.0;
    let second = u + v * v - 7.0;
    gradient[0] = 4.0 * u * first + 2.0 * second;
    gradient[1] = 2.0 * first + 4.0 * v * second;
    first * first + second * second
}

/// Beale, "On an iterative method for finding a local minimum of a function of more than one variable", 1958.
pub fn beale(x: &[f64], gradient: &mut [f64]) -> f64 {
    let (u, v) = (x[0], x[1]);
    let mut value = 0.0;
    gradient.fill(0.0);
    for (power, target) in [(1, 1.5), (2, 2.25), (3, 2.625)] {
        let residual = target - u + u * v.powi(power);
        value += residual * residual;
        gradient[0] += 2.0 * residual * (v.powi(power) - 1.0);
        gradient[1] += 2.0 * residual * u * f64::from(power) * v.powi(power - 1);
    }
    value
}
