//! A landscape by sampling: how high it is, how much of it is flat, and how much of it drains where.
//!
//! `cargo run --release --example sample_landscape`

use catchment::random::{Domain, Sampler, Starts};
use catchment::report::{Places, number, percent};
use catchment::{Engine, Error, Event, Flow, Plan, Precision, Surface};

const SAMPLES: usize = 20_000;

fn main() -> Result<(), Error> {
    let surface = Surface::named("himmelblau", None)?;
    let engine = Engine::auto()?;

    // Values and gradients at random points.
    let points = uniform(surface.domain(), SAMPLES)?;
    let sample = engine.evaluate(&surface, &points, Precision::F32)?;
    let mean = sample.value.iter().sum::<f64>() / SAMPLES as f64;
    let flat = sample.gradient.chunks(2).filter(|g| g[0].hypot(g[1]) < 20.0).count() as f64 / SAMPLES as f64;
    println!("mean value {}, gradient below 20 on {} of the domain", number(mean, 4), percent(flat));

    // The basins: where descents from random points end.
    let plan = Plan::new(surface).optimizer("sgd(lr=0.005)").restarts(SAMPLES as u64).steps(1_000).resolve()?;
    let mut places = Places::new(plan.surface().domain(), 1 << 12);
    engine.stream(&plan, |event| {
        if let Event::Batch(batch) = event {
            (0..batch.len()).for_each(|r| places.add(&batch.point(r), batch.value.at(r)));
        }
        Flow::Continue
    })?;
    let reached = places.finish().places;
    for place in reached.iter().take(4) {
        let share = percent(place.hits as f64 / SAMPLES as f64);
        println!("{share} of the domain drains to ({:.3}, {:.3})", place.x[0], place.x[1]);
    }

    // The mean over the square is known in closed form: the sample is within four of its standard errors.
    let spread = sample.value.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / SAMPLES as f64;
    assert!((mean - exact_mean()).abs() < 4.0 * (spread / SAMPLES as f64).sqrt());
    assert!(reached.iter().take(4).map(|p| p.hits).sum::<u64>() > SAMPLES as u64 * 99 / 100);
    Ok(())
}

/// Points of the sampler that runs start from, row by row.
fn uniform(domain: &Domain, count: usize) -> Result<Vec<f64>, Error> {
    let sampler = Sampler::new(&Starts::Uniform, domain, 7, count as u64)?;
    let mut columns = vec![0.0f32; domain.dim() * count];
    sampler.fill(0, count, &mut columns);
    Ok((0..count)
        .flat_map(|r| (0..domain.dim()).map(move |i| i * count + r))
        .map(|at| f64::from(columns[at]))
        .collect())
}

/// The mean of Himmelblau's function over [-5, 5]², from E x² = 25/3 and E x⁴ = 125.
fn exact_mean() -> f64 {
    // (x² + y - 11)² = x⁴ + y² + 121 + 2x²y - 22x² - 22y, and odd powers have mean 0.
    let (second, fourth) = (25.0 / 3.0, 125.0);
    let first = fourth + second + 121.0 - 22.0 * second;
    // (x + y² - 7)² = y⁴ + x² + 49 + 2xy² - 14x - 14y².
    first + fourth + second + 49.0 - 14.0 * second
}
