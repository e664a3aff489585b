//! A surface of your own: once as a formula, once built in Rust. Both are differentiated and compiled alike.
//!
//! `cargo run --release --example own_surface`

use catchment::random::Domain;
use catchment::{Engine, Error, Plan, Surface};

fn main() -> Result<(), Error> {
    // A double well in every coordinate: 2^n minima of value -n/4, at ±1/√2.
    let wells = Surface::formula("sum(x^4 - x^2)", Domain::cube(3, -2.0, 2.0))?;
    let built = Surface::build("wells", Domain::cube(3, -2.0, 2.0), |x| (x.powf(4.0) - x.clone() * x).sum())?;
    let (point, h) = ([0.3, -1.1, 0.7], 1e-6);
    let (value, gradient) = wells.evaluate(&point);
    let (also, slope) = built.evaluate(&point);
    assert!((value - also).abs() < 1e-12 && (gradient[0] - slope[0]).abs() < 1e-12);

    // The gradient is exact: the difference quotient only comes near it.
    let difference = (wells.evaluate(&[0.3 + h, -1.1, 0.7]).0 - wells.evaluate(&[0.3 - h, -1.1, 0.7]).0) / (2.0 * h);
    println!("slope along x0: {} by the chain rule, {difference} by differences", gradient[0]);

    let minimum = vec![0.5f64.sqrt(); 3];
    let plan = Plan::new(built.with_minimum(-0.75, minimum))
        .optimizer("momentum(lr=0.05)")
        .restarts(5_000)
        .steps(300)
        .resolve()?;
    let outcome = Engine::auto()?.run(&plan)?;
    let came = &outcome.configurations[0];
    println!("on {}: {:?}", outcome.device.name, came.best);
    assert_eq!(came.success.map(|s| s.count), Some(5_000), "every well is a global one");
    Ok(())
}
