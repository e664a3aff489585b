//! The transforms, one coordinate after another: `transform(x, g, state, t, draws)` before plain descent, with the numbers
//! given beside it.

/// A transform of the gradient `g`, or of `x`, in step `t`; `draws` holds one draw a coordinate.
pub type Transform = fn(&mut [f64], &mut [f64], &mut Vec<f64>, f64, &[f64]);

/// Every transform by its name in the catalog, with its hyperparameters as they are written there.
pub const TRANSFORMS: &[(&str, &str, Transform)] = &[
    ("clip_norm", "max=3", |_, g, _, _, _| {
        let norm = g.iter().map(|g| g * g).sum::<f64>().sqrt();
        if norm > 3.0 {
            g.iter_mut().for_each(|g| *g *= 3.0 / norm);
        }
    }),
    ("clip_value", "max=2", |_, g, _, _, _| g.iter_mut().for_each(|g| *g = g.clamp(-2.0, 2.0))),
    ("noise", "sigma=0.5, decay=0.6", |_, g, _, t, draws| {
        for (g, draw) in g.iter_mut().zip(draws) {
            *g += 0.5 / (1.0 + t).powf(0.6).sqrt() * draw;
        }
    }),
    ("perturb", "every=3, radius=0.2, below=100", |x, g, _, t, draws| {
        let norm = g.iter().map(|g| g * g).sum::<f64>().sqrt();
        if (t as u64).is_multiple_of(3) && norm < 100.0 {
            x.iter_mut().zip(draws).for_each(|(x, draw)| *x += 0.2 * draw);
        }
    }),
    ("threshold", "tau=5", |_, g, rest, _, _| {
        rest.resize(g.len(), 0.0);
        for (g, rest) in g.iter_mut().zip(rest) {
            let total = *rest + *g;
            *g = if total.abs() > 5.0 { total } else { 0.0 };
            *rest = total - *g;
        }
    }),
    ("weight_decay", "lambda=0.1", |x, g, _, _, _| g.iter_mut().zip(x).for_each(|(g, x)| *g += 0.1 * *x)),
];
