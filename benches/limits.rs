//! How near to its own limits a device comes: whether restarts that have ended cost nothing, and whether time grows linearly.
//!
//! ```text
//! cargo bench --bench limits              # on the CPU
//! cargo bench --bench limits -- gpu       # on another device, as --device names it
//! ```
//! Every time is the median of three; work of one line runs in turns, so that a drift of the machine's speed meets all of it alike.

use catchment::{DeviceChoice, Engine, Error, Outcome, Plan, PlanBuilder, Stopping, Surface};

fn main() -> Result<(), Error> {
    let device = std::env::args().skip(1).find(|a| !a.starts_with('-')).unwrap_or_else(|| "cpu".to_owned());
    let engine = Engine::open(&DeviceChoice::parse(&device), 0)?;
    let about = engine.device();
    println!("{} ({}), {}", about.name, about.backend, about.driver);
    early_stopping(&engine)?;
    growth(&engine)
}

fn plan(surface: &str, dim: u32, optimizer: &str) -> Result<PlanBuilder, Error> {
    Ok(Plan::new(Surface::named(surface, Some(dim))?).optimizer(optimizer).points(false))
}

/// Medians of the run times of some plans that take turns, and their outcomes.
fn medians(engine: &Engine, plans: &[Plan]) -> Result<Vec<(f64, Outcome)>, Error> {
    let mut times = vec![Vec::new(); plans.len()];
    let mut outcomes = Vec::new();
    for round in 0..4 {
        for (k, plan) in plans.iter().enumerate() {
            let outcome = engine.run(plan)?;
            // The first round wakes caches and compilers.
            if round == 0 {
                outcomes.push(outcome);
            } else {
                times[k].push(outcome.timing.run);
            }
        }
    }
    let median = |mut all: Vec<f64>| {
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    Ok(times.into_iter().map(median).zip(outcomes).collect())
}

/// Restarts that need between 10 and 10,000 steps, against as many steps a second as a batch takes in which none stops.
fn early_stopping(engine: &Engine) -> Result<(), Error> {
    println!("\nrestarts that stop at different steps: run time over (steps taken / steps a second of a full batch)");
    println!(
        "{:<18}{:>5}{:>10}{:>12}{:>10}{:>10}{:>8}",
        "surface", "dim", "restarts", "mean steps", "most", "run s", "ratio"
    );
    for (surface, dim, low, high, restarts) in [
        ("sphere", 2, 4e-4, 0.35, 400_000),
        ("sphere", 10, 4e-4, 0.35, 100_000),
        ("styblinski_tang", 2, 2e-5, 0.02, 400_000),
        ("styblinski_tang", 10, 2e-5, 0.02, 100_000),
        ("sphere", 100, 4e-4, 0.35, 20_000),
    ] {
        let small = Stopping { gradient: Some(1e-2), ..Stopping::default() };
        let never = Stopping { gradient: Some(1e-30), ..Stopping::default() };
        let stopping = plan(surface, dim, &format!("sgd(lr=log_uniform({low}, {high}))"))?;
        let stopping = stopping.restarts(restarts).steps(10_000).stopping(small).resolve()?;
        // Rates so small that nothing comes near a minimum.
        let full = plan(surface, dim, &format!("sgd(lr=log_uniform({}, {}))", low * 1e-3, low * 1e-2))?;
        let full = full.restarts(restarts / 4).steps(4_000).stopping(never).resolve()?;
        let all = medians(engine, &[stopping, full])?;
        let steps = |outcome: &Outcome, restarts: u64| outcome.configurations[0].mean_steps * restarts as f64;
        let rate = steps(&all[1].1, restarts / 4) / all[1].0;
        let taken = steps(&all[0].1, restarts);
        println!(
            "{surface:<18}{dim:>5}{restarts:>10}{:>12.0}{:>10}{:>10.3}{:>8.2}",
            taken / restarts as f64,
            all[0].1.configurations[0].max_steps,
            all[0].0,
            all[0].0 * rate / taken
        );
    }
    Ok(())
}

/// Exponents of run time in restarts, steps and dimension, by least squares over the logarithms.
fn growth(engine: &Engine) -> Result<(), Error> {
    println!("\nrun time as a power of the size (least squares over logarithms)");
    let sphere = |dim: u32, restarts: u64, steps: u64| {
        plan("sphere", dim, "sgd(lr=1e-5)")?.restarts(restarts).steps(steps).resolve()
    };
    let restarts = [1e6, 1e7, 1e8].map(|n| n as u64);
    let steps = [10_000, 100_000, 1_000_000];
    let dims = [10, 100, 1_000, 10_000];
    let by_restarts = restarts.iter().map(|&n| sphere(2, n, 100)).collect::<Result<Vec<Plan>, Error>>()?;
    line(engine, "restarts (sphere, sgd, 2-D, 100 steps)", &restarts.map(|n| n as f64), &by_restarts)?;
    let by_steps = steps.iter().map(|&t| sphere(2, 20_000, t)).collect::<Result<Vec<Plan>, Error>>()?;
    line(engine, "steps (sphere, sgd, 2-D, 20,000 restarts)", &steps.map(|t| t as f64), &by_steps)?;
    // The sphere by gradient descent reads and writes memory and computes next to nothing; other steps have more to do.
    for (surface, optimizer, steps) in [
        ("sphere", "sgd(lr=1e-5)", 1_000),
        ("styblinski_tang", "sgd(lr=1e-5)", 1_000),
        ("rastrigin", "sgd(lr=1e-5)", 250),
        ("sphere", "adam(lr=1e-5)", 500),
        ("rastrigin", "adam(lr=1e-5)", 250),
    ] {
        let by_dim = dims.iter().map(|&d| plan(surface, d, optimizer)?.restarts(8_000).steps(steps).resolve());
        let by_dim = by_dim.collect::<Result<Vec<Plan>, Error>>()?;
        let rule = optimizer.split('(').next().unwrap_or(optimizer);
        let name = format!("dimension ({surface}, {rule}, 8,000 restarts)");
        line(engine, &name, &dims.map(f64::from), &by_dim)?;
    }
    Ok(())
}

fn line(engine: &Engine, name: &str, sizes: &[f64], plans: &[Plan]) -> Result<(), Error> {
    let times: Vec<f64> = medians(engine, plans)?.into_iter().map(|t| t.0).collect();
    let logs: Vec<(f64, f64)> = sizes.iter().zip(&times).map(|(s, t)| (s.ln(), t.ln())).collect();
    let mean = |of: fn(&(f64, f64)) -> f64| logs.iter().map(of).sum::<f64>() / logs.len() as f64;
    let (mx, my) = (mean(|p| p.0), mean(|p| p.1));
    let slope = logs.iter().map(|p| (p.0 - mx) * (p.1 - my)).sum::<f64>()
        / logs.iter().map(|p| (p.0 - mx).powi(2)).sum::<f64>();
    let each: Vec<String> = sizes.iter().zip(&times).map(|(s, t)| format!("{s:.0e}: {t:.3} s")).collect();
    println!("{name:<52} exponent {slope:.3}   {}", each.join(", "));
    Ok(())
}
