//! smoke
#![allow(warnings)]
use catchment::*;
fn main() -> Result<(), Box<dyn std::error::Error>> {
    for d in devices() { println!("{d:?}"); }
    let gpu = Engine::open(&DeviceChoice::Gpu, 0)?;
    let cpu = Engine::cpu();
    for d in [1u32,2,3,40] {
    let plan = Plan::new(Surface::named("rastrigin", Some(d))?).optimizer("sgd(lr=0.002)").restarts(if d==40 {20000} else {200_000}).steps(500).seed(1).resolve()?;
    if d==2 || d == 40 { println!("{}", wgsl(&plan)?); }
    for e in [&cpu, &gpu] {
    let o = e.run(&plan)?;
    println!("{d} {:?} {:?} want {}", o.configurations[0].success, o.configurations[0].status, 0.098153f64.powi(d as i32));
    println!("{:?} {:e} {}", o.timing, o.coordinate_steps_per_second(), e.layout(&plan)?);
    }
    }
    for opt in ["adam(lr=0.05)","rprop","nadam","noise(sigma=1)|adam(lr=0.01)","perturb(every=5)|sgd(lr=0.001)","clip_norm(max=1)|momentum", "adam(lr=log_uniform(1e-4,1e-1))", "sgd(lr=[1e-4,2e-4])"] {
      for d in [2u32, 60, 1500] {
       let plan = Plan::new(Surface::named("rosenbrock", Some(d))?).optimizer(opt).restarts(20_000/d as u64).steps(200).seed(1).resolve()?;
       for e in [&cpu, &gpu] {
       let o = e.run(&plan)?;
       println!("{opt} {d} {} best {:?} {:?} {:e} {:?}", e.layout(&plan)?, o.configurations[0].best.as_ref().map(|b|b.value), o.configurations[0].status, o.coordinate_steps_per_second(), o.timing);
       }
      }
    }
    Ok(())
}
