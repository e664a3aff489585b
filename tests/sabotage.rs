//! The alarm must ring: what the laws rest on is broken on purpose, and the same checks must report it.

#[path = "reference/mod.rs"]
mod reference;
mod support;

use catchment::kernel::{Instruction, Kernel, Statement, lower_nest, lower_straight};
use catchment::step::Evaluation;
use catchment::{Plan, Precision, Surface, Trace};
use std::path::Path;
use support::bits::{restarts, same, traced};
use support::bounds::Rounded;
use support::catalog::{points, surfaces};
use support::interpreter::Lane;
use support::report::{Place, Report, What};
use support::steps::{advance, initial_states, lane, plain_steps, within_bounds};
use support::{checks, engines};

const SEED: u64 = 41;

/// A catalog surface, and the same with one piece of its text replaced.
fn broken(name: &str, from: &str, to: &str, dim: u32) -> (Surface, Surface) {
    let (_, text) = catchment::catalog::surface_text(name).expect("a catalog surface");
    assert!(text.contains(from), "`{from}` is in {name}");
    let sound = Surface::parse(name, text, Some(dim)).expect("parses");
    (sound, Surface::parse(name, &text.replace(from, to), Some(dim)).expect("parses"))
}

/// Requires that a check reports what is broken, and not what is sound.
fn rings(what: &str, sound: impl FnOnce(&mut Report), broken: impl FnOnce(&mut Report)) {
    let mut report = Report::new("sound");
    sound(&mut report);
    assert!(
        report.checked > 0 && report.failed() == 0,
        "{what}: {} of {} false alarms",
        report.failed(),
        report.checked
    );
    let mut report = Report::new("broken");
    broken(&mut report);
    println!("{what}: {} of {} comparisons report it", report.failed(), report.checked);
    assert!(report.failed() > 0, "{what}: no alarm in {} comparisons", report.checked);
}

/// What becomes of a statement that a change touches.
type Change<'a> = &'a dyn Fn(&Statement) -> Option<Vec<Statement>>;

#[test]
fn a_wrong_coefficient_is_reported() {
    let (sound, wrong) = broken("rastrigin", "10*(1", "10.001*(1", 5);
    let case =
        support::oracle::classics().into_iter().find(|c| c.name == "rastrigin" && c.dim == 5).expect("in the oracle");
    let engine = catchment::Engine::cpu();
    rings("oracle", |r| checks::oracle(r, &engine, &sound, &case), |r| checks::oracle(r, &engine, &wrong, &case));
    for backend in engines() {
        for &precision in backend.precisions() {
            let points = points(&sound, 200, SEED);
            let check = |r: &mut Report, surface| {
                checks::values(r, &backend.engine, backend.name, surface, &sound, &points, precision, SEED);
            };
            rings(&format!("{} {}", backend.name, precision.name()), |r| check(r, &sound), |r| check(r, &wrong));
        }
    }
    let x = &points(&sound, 1, SEED)[0];
    let simplified = |r: &mut Report, surface| checks::simplified(r, &sound, &Evaluation::new(surface), x, SEED);
    rings("simplified", |r| simplified(r, &sound), |r| simplified(r, &wrong));
    rings("dual", |r| checks::dual(r, &sound, &sound, x, SEED), |r| checks::dual(r, &wrong, &sound, x, SEED));
    rings(
        "difference",
        |r| checks::differences(r, &sound, &sound, x, SEED),
        |r| checks::differences(r, &wrong, &sound, x, SEED),
    );
}

/// The measure of GPU.md: a coefficient off by 5e-5 in single precision, seen at most points.
#[test]
fn a_constant_off_by_5e_5_is_reported() {
    for backend in engines() {
        let (sound, wrong) = broken("rastrigin", "10*(1", "10.0005*(1", 10);
        let points = points(&sound, 500, SEED);
        let mut report = Report::new("broken");
        checks::values(&mut report, &backend.engine, backend.name, &wrong, &sound, &points, Precision::F32, SEED);
        let share = report.failed() as f64 / report.checked as f64;
        println!("{}: {:.1} % of {} comparisons report it", backend.name, 100.0 * share, report.checked);
        assert!(share > 0.5, "{}: only {share}", backend.name);
    }
}

#[test]
fn a_wrong_minimum_is_reported() {
    for surface in surfaces(&[3]).into_iter().filter(|s| !s.minima().is_empty()) {
        let known = surface.minima()[0].clone();
        let samples = points(&surface, 50, SEED);
        let x = known.x.clone();
        let mut report = Report::new("broken");
        let higher = surface.clone().with_minimum(known.value + 1e-6 * (1.0 + known.value.abs()), x.clone());
        checks::minimum(&mut report, &higher, &samples, SEED);
        assert!(report.failed() > 0, "{}: a minimum 1e-6 too high is not reported", surface.name());
        let mut report = Report::new("broken");
        let middle = samples.iter().map(|x| surface.evaluate(x).0).fold(f64::MIN, f64::max);
        checks::minimum(&mut report, &surface.clone().with_minimum(middle, x), &samples, SEED);
        assert!(report.failed() > 0, "{}: samples below the minimum are not reported", surface.name());
    }
}

/// The texts of a sound and of a broken Adam, run from files.
#[test]
fn a_wrong_optimizer_is_reported() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_, text) = catchment::catalog::optimizer_text("adam").expect("in the catalog");
    let breaks = [
        ("betas swapped", "beta1", "beta0"),
        ("t shifted by one", "^t", "^(t + 1)"),
        ("no bias correction of the mean", "(m / (1 - beta1^t))", "m"),
        ("no bias correction of the square", "sqrt(v / (1 - beta2^t))", "sqrt(v)"),
        ("epsilon inside the root", "sqrt(v / (1 - beta2^t)) + eps", "sqrt(v / (1 - beta2^t) + eps)"),
        ("the square forgotten", "*g^2", "*g"),
        ("the old mean used", "x = x - lr * (m", "x = x - lr * (g"),
    ];
    let plain = |name: &str| *reference::surfaces::SURFACES.iter().find(|s| s.0 == name).expect("a plain surface");
    let rule = reference::optimizers::OPTIMIZERS.iter().find(|r| r.0 == "adam").expect("plain Adam").1;
    let numbers = [2.0, 0.85, 0.97, 0.1];
    let (name, surface) = plain("rosenbrock");
    let file = |text: &str| {
        let path = folder.path().join("broken.opt");
        std::fs::write(&path, text).expect("writes");
        path.to_str().expect("a path").to_owned()
    };
    let check = |report: &mut Report, backend: &support::Backend, precision, path: &str| {
        let trace = Trace { steps: (0..=6).collect(), restarts: 8 };
        let chain = format!("{path}(lr=2, beta1=0.85, beta2=0.97, eps=0.1)");
        let plan = Plan::new(Surface::named(name, Some(3)).expect("a surface")).optimizer(chain).restarts(8).steps(6);
        let plan = plan.seed(SEED).trace(trace).precision(precision).resolve().expect("a plan");
        let mut states = vec![Vec::new(); 8];
        plain_steps(report, backend, &plan, surface, &mut |restart, t, x, g| {
            rule(x, g, &mut states[restart as usize], t as u32, &numbers);
        });
    };
    for backend in engines() {
        for &precision in backend.precisions() {
            for (what, from, to) in breaks {
                assert!(text.contains(from), "`{from}` is in Adam's text");
                let wrong = match what {
                    "betas swapped" => swap_betas(text),
                    _ => text.replace(from, to),
                };
                rings(
                    &format!("{} {} {what}", backend.name, precision.name()),
                    |r| check(r, &backend, precision, &file(text)),
                    |r| check(r, &backend, precision, &file(&wrong)),
                );
            }
        }
    }
    assert!(Path::new(&file(text)).exists());
}

/// Swaps two names below the line that declares them.
fn swap_betas(text: &str) -> String {
    let (head, body) = text.split_at(text.find("state").expect("a state"));
    let body = body.replace("beta1", "beta0").replace("beta2", "beta1").replace("beta0", "beta2");
    format!("{head}{body}")
}

/// Every statement of a kernel's body, loops included, offered to `change`; those that it changes are one kernel each.
fn mutants(kernel: &Kernel, change: &dyn Fn(&Statement) -> Option<Vec<Statement>>) -> Vec<Kernel> {
    fn bodies(body: &[Statement], change: &dyn Fn(&Statement) -> Option<Vec<Statement>>) -> Vec<Vec<Statement>> {
        let mut all = Vec::new();
        for (i, statement) in body.iter().enumerate() {
            let mut replacements: Vec<Vec<Statement>> = change(statement).into_iter().collect();
            if let Statement::Loop(l) = statement {
                for inner in bodies(&l.body, change) {
                    let mut l = l.clone();
                    l.body = inner;
                    replacements.push(vec![Statement::Loop(l)]);
                }
            }
            for replacement in replacements {
                all.push([&body[..i], &replacement[..], &body[i + 1..]].concat());
            }
        }
        all
    }
    bodies(&kernel.body, change).into_iter().map(|body| Kernel { body, ..kernel.clone() }).collect()
}

#[test]
fn broken_kernels_are_reported() {
    let unwritten = |s: &Statement| matches!(s, Statement::Store(..)).then(Vec::new);
    let constant_off = |s: &Statement| match s {
        Statement::Let(value, Instruction::Constant(bits)) if f64::from_bits(*bits) != 0.0 => {
            let off = f64::from_bits(*bits) * (1.0 + 1e-9);
            Some(vec![Statement::Let(*value, Instruction::Constant(off.to_bits()))])
        }
        _ => None,
    };
    let shifted = |s: &Statement| match s {
        Statement::Loop(l) if l.count > 2 => {
            let mut l = l.clone();
            l.count -= 1;
            Some(vec![Statement::Loop(l)])
        }
        _ => None,
    };
    let changes: [(&str, Change<'_>); 3] =
        [("a store left out", &unwritten), ("a constant off by 1e-9", &constant_off), ("a turn left out", &shifted)];
    let surface = |dim| Surface::named("rastrigin", Some(dim)).expect("a surface");
    let mut counts = [0; 3];
    for (dim, loops) in [(3, false), (40, true)] {
        let surface = surface(dim);
        let plan = Plan::new(surface.clone()).optimizer("rmsprop(beta=0.5)").seed(SEED).resolve().expect("a plan");
        let step = &plan.programs()[0].step;
        let outputs = step.outputs();
        let kernel = match loops {
            true => lower_nest(&step.graph, &outputs, dim),
            false => lower_straight(&step.graph, &outputs, dim, 10_000),
        };
        let kernel = kernel.expect("a kernel");
        let x = &points(&surface, 1, SEED)[0];
        let first = lane::<Rounded>(&plan, 0, 0, 1, x, initial_states(&plan, 0));
        let states = advance(step, &first, 1, plan.steps()).1;
        let second: Lane<Rounded> = lane(&plan, 0, 0, 2, x, states);
        let check = |r: &mut Report, k: &Kernel| checks::kernel(r, "kernel", k, &step.graph, &outputs, &second, SEED);
        for (count, (what, change)) in counts.iter_mut().zip(changes) {
            for mutant in mutants(&kernel, change) {
                *count += 1;
                let mut report = Report::new("mutant");
                check(&mut report, &mutant);
                assert!(report.failed() > 0, "d={dim}: {what}, and no alarm: {mutant:?}");
            }
        }
        let mut report = Report::new("sound");
        check(&mut report, &kernel);
        assert_eq!(report.failed(), 0);
    }
    println!("mutants: {counts:?}");
    assert!(counts.iter().all(|&c| c > 0) && counts[0] > 9);
}

#[test]
fn a_wrong_step_is_reported_by_the_error_bound() {
    // The descent of one learning rate held to the bounds of another, 2e-5 larger.
    for backend in engines() {
        for &precision in backend.precisions() {
            let plan = |lr: f64| {
                let surface = Surface::named("griewank", Some(4)).expect("a surface");
                let trace = Trace { steps: (0..=5).collect(), restarts: 20 };
                let plan = Plan::new(surface).optimizer(format!("adam(lr={lr})")).restarts(20).steps(5).seed(SEED);
                plan.trace(trace).precision(precision).resolve().expect("a plan")
            };
            let sound = plan(10.0);
            let walk = |plan: &Plan| traced(&backend.engine, plan).1;
            rings(
                &format!("{} {}", backend.name, precision.name()),
                |r| within_bounds(r, "sound", &sound, &walk(&sound)),
                |r| within_bounds(r, "broken", &sound, &walk(&plan(10.0002))),
            );
        }
    }
}

#[test]
fn changed_bits_are_reported() {
    let surface = Surface::named("sphere", Some(2)).expect("a surface");
    let plan = Plan::new(surface).restarts(50).steps(3).resolve().expect("a plan");
    let sound = restarts(&catchment::Engine::cpu(), &plan);
    for number in 0..sound[&(0, 0)].numbers.len() {
        let mut wrong = sound.clone();
        wrong.get_mut(&(0, 31)).expect("a restart").numbers[number] ^= 1;
        rings("one bit", |r| same(r, "sound", 0, &sound, &sound), |r| same(r, "broken", 0, &sound, &wrong));
    }
    let mut fewer = sound.clone();
    fewer.remove(&(0, 49));
    rings("a restart lost", |r| same(r, "sound", 0, &sound, &sound), |r| same(r, "broken", 0, &fewer, &sound));
    let mut swapped = sound.clone();
    swapped.insert((0, 1), sound[&(0, 2)].clone());
    rings("a restart copied", |r| same(r, "sound", 0, &sound, &sound), |r| same(r, "broken", 0, &sound, &swapped));
}

#[test]
fn reports_count_what_they_cannot_check() {
    let place = Place { row: "row", what: What::Value, point: &[1.0], seed: 0 };
    let mut report = Report::new("report");
    report.compare(&place, 1.0, 1.0, f64::INFINITY);
    report.compare(&place, 1.0, f64::NAN, 1.0);
    assert_eq!((report.checked, report.skipped, report.failed()), (0, 2, 0));
    report.compare(&place, f64::NAN, 1.0, 1.0);
    report.compare(&place, 1.0, 2.0, 0.5);
    report.compare(&place, 1.0, 1.0, 0.0);
    assert_eq!((report.checked, report.failed()), (3, 2));
    assert!(std::panic::catch_unwind(|| report.finish(0)).is_err(), "failures fail");
    assert!(std::panic::catch_unwind(|| Report::new("hollow").finish(1)).is_err(), "too few comparisons fail");
    Report::new("empty").finish(0);
}
