//! Restarts spread over workgroups beside restarts of one invocation each, on one GPU: where the threshold of `target.rs`
//! belongs, and which width.
//!
//! ```text
//! cargo bench --bench spread_layout                                  # 64 to 10,000 coordinates, 10 to 100,000 restarts
//! cargo bench --bench spread_layout -- dims=64,256 restarts=10,1000 widths=64,128,256,1 surfaces=rastrigin optimizer=adam
//! ```
//! A width of 1 stands for the layout without spreading. Each time is the median of three after one that is not counted;
//! the lines of one size run in turns. Sizes of more than 2^31 coordinates are left out.

use catchment::bench::spreading_gpu;
use catchment::{Engine, Error, Plan, Surface};

/// Coordinate steps that a run should take, so that short ones are long enough to be timed.
const WORK: f64 = 4e8;

/// The numbers that follow `key=`, or these.
fn list(key: &str, otherwise: &[u64]) -> Vec<u64> {
    let given = text(key).map(|list| list.split(',').filter_map(|n| n.parse::<f64>().ok()).map(|n| n as u64).collect());
    given.unwrap_or_else(|| otherwise.to_vec())
}

fn text(key: &str) -> Option<String> {
    std::env::args().find_map(|a| a.strip_prefix(key)?.strip_prefix('=').map(str::to_owned))
}

fn main() -> Result<(), Error> {
    let dims = list("dims", &[64, 128, 256, 512, 1000, 2000, 4000, 10_000]);
    let counts = list("restarts", &[10, 100, 1000, 10_000, 100_000]);
    let widths = list("widths", &[1, 64, 128, 256]);
    let work = list("work", &[WORK as u64])[0] as f64;
    let surfaces = text("surfaces").unwrap_or_else(|| "rastrigin,rosenbrock,ackley".to_owned());
    let optimizer = text("optimizer").unwrap_or_else(|| "adam".to_owned());
    let engine = |width: u64| match width {
        0 | 1 => spreading_gpu(u32::MAX, 64),
        width => spreading_gpu(1, (width.min(256) as u32).next_power_of_two()),
    };
    let engines: Vec<(u64, Engine)> = widths.iter().map(|&w| Ok((w, engine(w)?))).collect::<Result<_, Error>>()?;
    if let Some((_, engine)) = engines.first() {
        let about = engine.device();
        println!("{} ({}), {}, {optimizer}", about.name, about.backend, about.driver);
    }
    println!(
        "{:<16}{:>7}{:>10}{:>8}{:>7}  {:<9}{:>11}{:>18}",
        "surface", "dim", "restarts", "steps", "width", "layout", "run s", "M coord steps/s"
    );
    for surface in surfaces.split(',') {
        for &dim in &dims {
            for &restarts in counts.iter().filter(|&&n| n.saturating_mul(dim) < 1 << 31) {
                let steps = (work / (dim as f64 * restarts as f64)).clamp(20.0, 10_000.0) as u64;
                let plan = Plan::new(Surface::named(surface, Some(dim as u32))?).optimizer(&optimizer);
                let plan = plan.restarts(restarts).steps(steps).points(false).resolve()?;
                let mut times = vec![Vec::new(); engines.len()];
                for round in 0..4 {
                    for ((_, engine), times) in engines.iter().zip(&mut times) {
                        let outcome = engine.run(&plan)?;
                        if round > 0 {
                            times.push(outcome.timing.run);
                        }
                    }
                }
                for ((width, engine), mut times) in engines.iter().zip(times) {
                    times.sort_by(f64::total_cmp);
                    let median = times[times.len() / 2];
                    let speed = dim as f64 * restarts as f64 * steps as f64 / median / 1e6;
                    println!(
                        "{surface:<16}{dim:>7}{restarts:>10}{steps:>8}{width:>7}  {:<9}{median:>11.4}{speed:>18.1}",
                        engine.layout(&plan)?
                    );
                }
            }
        }
    }
    Ok(())
}
