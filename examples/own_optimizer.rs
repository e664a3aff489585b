//! An optimizer of your own: a text of a few lines, alone and in a chain. Give a path to run yours instead.
//!
//! `cargo run --release --example own_optimizer [FILE.opt]`

use catchment::{Engine, Plan, Surface};
use std::error::Error;
use std::path::PathBuf;

/// Descent with a step length that shrinks as the gradient's own norm has been: a small AdaGrad-Norm.
const TEXT: &str = "\
# AdaGrad-Norm (Ward, Wu & Bottou 2019): one step size for all coordinates, from the sum of squared gradient norms.
hyper lr = 1, eps = 1e-6
state s = 0

s = s + norm(g)^2
x = x - lr*g/(sqrt(s) + eps)
";

fn main() -> Result<(), Box<dyn Error>> {
    let path = match std::env::args_os().nth(1) {
        Some(given) => PathBuf::from(given),
        None => {
            let path = std::env::temp_dir().join(format!("adagrad_norm_{}.opt", std::process::id()));
            std::fs::write(&path, TEXT)?;
            path
        }
    };
    let own = path.display();
    let plan = Plan::new(Surface::named("sphere", Some(10))?)
        .optimizer(format!("{own}(lr=[0.1, 1, 10])"))
        .optimizer(format!("noise(sigma=0.1) | clip_norm(max=1) | {own}"))
        .restarts(1_000)
        .steps(500)
        .resolve()?;
    let outcome = Engine::auto()?.run(&plan)?;
    for (configuration, came) in plan.configurations().iter().zip(&outcome.configurations) {
        let median = came.value.map_or(f64::NAN, |v| v.q50);
        println!("median {median:<12.4e} {}", configuration.text);
    }
    let median = |i: usize| outcome.configurations[i].value.map_or(f64::NAN, |v| v.q50);
    if std::env::args_os().nth(1).is_none() {
        std::fs::remove_file(&path)?;
        assert!(median(1) < median(0), "a small rate is slow to come down");
    }
    Ok(())
}
