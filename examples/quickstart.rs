//! Ten thousand descents on Rastrigin's function, and how many of them find its lowest point.
//!
//! `cargo run --release --example quickstart`

use catchment::{Engine, Error, Plan, Surface};

fn main() -> Result<(), Error> {
    let plan = Plan::new(Surface::named("rastrigin", Some(2))?)
        .optimizer("sgd(lr=0.002)")
        .optimizer("adam(lr=[0.01, 0.1])")
        .restarts(10_000)
        .steps(1_000)
        .seed(1)
        .resolve()?;
    let engine = Engine::auto()?;
    println!("{} restarts of each on {}", plan.restarts(), engine.device().name);

    let outcome = engine.run(&plan)?;
    for (configuration, came) in plan.configurations().iter().zip(&outcome.configurations) {
        let (Some(success), Some(best)) = (came.success, &came.best) else { continue };
        let [lo, share, hi] = [success.interval[0], success.fraction, success.interval[1]].map(|p| 100.0 * p);
        println!(
            "{:<14} finds 0 from {share:.2} % ({lo:.2} to {hi:.2}); lowest {:.3e}",
            configuration.text, best.value
        );
    }

    // Plain descent goes to the nearest minimum, and the basin of the global one is 0.098153 of each axis.
    let found = outcome.configurations[0].success.map_or(0.0, |s| s.fraction);
    assert!((found - 0.098153f64.powi(2)).abs() < 0.004);
    Ok(())
}
