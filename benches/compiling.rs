//! How long it takes from a formula to pipelines that are ready to run, for every surface of the catalog.
//!
//! ```text
//! MESA_SHADER_CACHE_DISABLE=1 CATCHMENT_CACHE=off cargo bench --bench compiling -- gpu
//! cargo bench --bench compiling -- cpu dims=100,1000 surfaces=griewank,ackley optimizer=adam
//! ```
//! Everything counts from the formula's text on: parsing, derivatives, lowering, printing, the driver's compiler, and a first
//! dispatch of each pipeline. A driver that keeps what it has compiled must be told not to, as above, or it answers from memory.

use catchment::{DeviceChoice, Engine, Error, Plan, Surface};
use std::time::Instant;

/// What follows `key=`.
fn text(key: &str) -> Option<String> {
    std::env::args().find_map(|a| a.strip_prefix(key)?.strip_prefix('=').map(str::to_owned))
}

fn main() -> Result<(), Error> {
    let device = std::env::args().skip(1).find(|a| !a.starts_with('-') && !a.contains('='));
    let engine = Engine::open(&DeviceChoice::parse(device.as_deref().unwrap_or("cpu")), 0)?;
    let optimizer = text("optimizer").unwrap_or_else(|| "adam".to_owned());
    let dims: Vec<u32> = text("dims").as_deref().unwrap_or("2,10,32,100").split(',').flat_map(str::parse).collect();
    let chosen = text("surfaces");
    let chosen = |name: &str| chosen.as_ref().is_none_or(|list| list.split(',').any(|c| c == name));
    let about = engine.device();
    println!("{} ({}), {}, {optimizer}", about.name, about.backend, about.driver);
    println!("{:<26}{:>6}  {:<10}{:>10}", "surface", "dim", "layout", "s");
    // A first program wakes the compiler.
    ready(&engine, "sphere", 3, &optimizer)?;
    let mut worst = vec![(0.0, ""); dims.len()];
    for name in catchment::catalog::surfaces().filter(|n| chosen(n)) {
        let mut seen = Vec::new();
        for (k, &dim) in dims.iter().enumerate() {
            // A surface of its own dimension stands there once, one that wants fours takes more.
            let wanted = [Some(dim), Some(dim.next_multiple_of(4)), None];
            let Some(own) = wanted.iter().find_map(|&d| Some(Surface::named(name, d).ok()?.dim())) else { continue };
            if seen.contains(&own) {
                continue;
            }
            seen.push(own);
            let (seconds, layout) = ready(&engine, name, own, &optimizer)?;
            println!("{name:<26}{own:>6}  {layout:<10}{seconds:>10.3}");
            if seconds > worst[k].0 {
                worst[k] = (seconds, name);
            }
        }
    }
    for (dim, (seconds, name)) in dims.iter().zip(worst) {
        println!("longest at {dim} dimensions or its own: {seconds:.3} s, {name}");
    }
    Ok(())
}

/// Seconds from text to pipelines, and the layout.
fn ready(engine: &Engine, name: &str, dim: u32, optimizer: &str) -> Result<(f64, String), Error> {
    let begun = Instant::now();
    let plan = Plan::new(Surface::named(name, Some(dim))?).optimizer(optimizer);
    let plan = plan.restarts(1).steps(1).points(false).resolve()?;
    let before = begun.elapsed().as_secs_f64();
    let timing = engine.run(&plan)?.timing;
    Ok((before + timing.compile, engine.layout(&plan)?.to_string()))
}
