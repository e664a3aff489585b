//! Six update rules, one coordinate after another, in PyTorch's variants.
//!
//! A rule moves `x` against the gradient `g` in step `t` (from 1). `hyper` holds its numbers in the order of [`HYPER`].
//! `state` is empty before the first step; the rule makes its own slots, one value a coordinate.

/// An update rule: `rule(x, g, state, t, hyper)`.
pub type Rule = fn(&mut [f64], &[f64], &mut Vec<Vec<f64>>, u32, &[f64]);

/// Every rule by its name in the catalog.
pub const OPTIMIZERS: &[(&str, Rule)] = &[
    ("sgd", sgd),
    ("momentum", momentum),
    ("nesterov", nesterov),
    ("adagrad", adagrad),
    ("rmsprop", rmsprop),
    ("adam", adam),
];

/// The names of the numbers in `hyper`, in order, row by row as in [`OPTIMIZERS`].
pub const HYPER: &[(&str, &[&str])] = &[
    ("sgd", &["lr"]),
    ("momentum", &["lr", "beta", "dampening"]),
    ("nesterov", &["lr", "beta"]),
    ("adagrad", &["lr", "lr_decay", "initial", "eps"]),
    ("rmsprop", &["lr", "alpha", "eps", "beta"]),
    ("adam", &["lr", "beta1", "beta2", "eps"]),
];

/// Cauchy, "Méthode générale pour la résolution des systèmes d'équations simultanées", 1847. `hyper`: `lr`.
pub fn sgd(x: &mut [f64], g: &[f64], _state: &mut Vec<Vec<f64>>, _t: u32, hyper: &[f64]) {
    let lr = hyper[0];
    for i in 0..x.len() {
        x[i] -= lr * g[i];
    }
}

/// Polyak, "Some methods of speeding up the convergence of iteration methods", 1964, with PyTorch's dampening, which
/// spares the first step. `hyper`: `lr`, `beta`, `dampening`.
pub fn momentum(x: &mut [f64], g: &[f64], state: &mut Vec<Vec<f64>>, t: u32, hyper: &[f64]) {
    let (lr, beta, dampening) = (hyper[0], hyper[1], hyper[2]);
    slots(state, x.len(), &[0.0]);
    for i in 0..x.len() {
        let velocity = &mut state[0][i];
        if t == 1 {
            *velocity = g[i];
        } else {
            *velocity = beta * *velocity + (1.0 - dampening) * g[i];
        }
        x[i] -= lr * *velocity;
    }
}

/// Nesterov, "A method of solving a convex programming problem with convergence rate O(1/k²)", 1983, rewritten by
/// Sutskever, Martens, Dahl & Hinton (2013) with `x` as the point looked ahead to. `hyper`: `lr`, `beta`.
pub fn nesterov(x: &mut [f64], g: &[f64], state: &mut Vec<Vec<f64>>, _t: u32, hyper: &[f64]) {
    let (lr, beta) = (hyper[0], hyper[1]);
    slots(state, x.len(), &[0.0]);
    for i in 0..x.len() {
        let velocity = &mut state[0][i];
        *velocity = beta * *velocity + g[i];
        x[i] -= lr * (g[i] + beta * *velocity);
    }
}

/// Duchi, Hazan & Singer, "Adaptive subgradient methods for online learning and stochastic optimization", 2011;
/// epsilon outside the square root. `hyper`: `lr`, `lr_decay`, `initial`, `eps`.
pub fn adagrad(x: &mut [f64], g: &[f64], state: &mut Vec<Vec<f64>>, t: u32, hyper: &[f64]) {
    let (lr, lr_decay, initial, eps) = (hyper[0], hyper[1], hyper[2], hyper[3]);
    slots(state, x.len(), &[initial]);
    let rate = lr / (1.0 + (f64::from(t) - 1.0) * lr_decay);
    for i in 0..x.len() {
        let sum = &mut state[0][i];
        *sum += g[i] * g[i];
        x[i] -= rate * g[i] / (sum.sqrt() + eps);
    }
}

/// Tieleman & Hinton, "Lecture 6.5: RMSProp", 2012; epsilon outside the square root, a momentum buffer without lr.
/// `hyper`: `lr`, `alpha`, `eps`, `beta`.
pub fn rmsprop(x: &mut [f64], g: &[f64], state: &mut Vec<Vec<f64>>, _t: u32, hyper: &[f64]) {
    let (lr, alpha, eps, beta) = (hyper[0], hyper[1], hyper[2], hyper[3]);
    slots(state, x.len(), &[0.0, 0.0]);
    for i in 0..x.len() {
        state[0][i] = alpha * state[0][i] + (1.0 - alpha) * g[i] * g[i];
        state[1][i] = beta * state[1][i] + g[i] / (state[0][i].sqrt() + eps);
        x[i] -= lr * state[1][i];
    }
}

/// Kingma & Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1. `hyper`: `lr`, `beta1`, `beta2`, `eps`.
pub fn adam(x: &mut [f64], g: &[f64], state: &mut Vec<Vec<f64>>, t: u32, hyper: &[f64]) {
    let (lr, beta1, beta2, eps) = (hyper[0], hyper[1], hyper[2], hyper[3]);
    slots(state, x.len(), &[0.0, 0.0]);
    let first_bias = 1.0 - beta1.powf(f64::from(t));
    let second_bias = 1.0 - beta2.powf(f64::from(t));
    for i in 0..x.len() {
        state[0][i] = beta1 * state[0][i] + (1.0 - beta1) * g[i];
        state[1][i] = beta2 * state[1][i] + (1.0 - beta2) * g[i] * g[i];
        let mean = state[0][i] / first_bias;
        let square = state[1][i] / second_bias;
        x[i] -= lr * mean / (square.sqrt() + eps);
    }
}

/// Makes the slots of a rule that has not run yet, `n` values each, filled with `initial`.
fn slots(state: &mut Vec<Vec<f64>>, n: usize, initial: &[f64]) {
    if state.is_empty() {
        state.extend(initial.iter().map(|&value| vec![value; n]));
    }
}
