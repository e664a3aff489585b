//! Critical points against those of `tests/data/stationary.json` (40-digit Newton, some proven complete by resultants).

mod support;

use catchment::analysis::{Kind, Reached, Search, Stationary};
use catchment::{Engine, Flow, Plan, Precision, Surface, random::Domain};
use serde_json::Value;

fn oracle() -> Value {
    support::oracle::data("stationary.json.gz")
}

fn numbers(value: &Value) -> Vec<f64> {
    support::oracle::numbers(value).expect("numbers")
}

/// Every point of the list is found once, of its kind, to 1e-9; and nothing else in the box.
fn agree(name: &str, found: &[Reached], expected: &[Value], complete: bool) {
    let inside: Vec<&Reached> = found.iter().filter(|p| p.point.inside && p.point.kind.is_critical()).collect();
    for point in expected {
        let x = numbers(&point["x"]);
        let near = |p: &&&Reached| p.point.x.iter().zip(&x).all(|(a, b)| (a - b).abs() <= 1e-9 * b.abs().max(1.0));
        let here: Vec<&&Reached> = inside.iter().filter(near).collect();
        assert_eq!(here.len(), 1, "{name}: {x:?}");
        let (found, class) = (&here[0].point, point["class"].as_str().expect("a class"));
        let kind = match class {
            "min" => Kind::Minimum,
            "max" => Kind::Maximum,
            "saddle" => Kind::Saddle,
            _ => Kind::Degenerate,
        };
        assert_eq!(found.kind, kind, "{name}: {x:?} {:?}", found.eigenvalues);
        if kind != Kind::Degenerate {
            assert_eq!(found.index.map(|i| i as u64), point["index"].as_u64(), "{name}: {x:?}");
            for (a, b) in found.eigenvalues.iter().zip(numbers(&point["hess_eig"])) {
                assert!((a - b).abs() <= 1e-7 * b.abs().max(1.0), "{name}: {x:?}: {:?}", found.eigenvalues);
            }
        }
    }
    if complete {
        assert_eq!(inside.len(), expected.len(), "{name}: points were invented");
    }
}

#[test]
fn all_critical_points_of_the_list() {
    let oracle = oracle();
    for function in oracle["functions"].as_array().expect("functions") {
        let name = function["name"].as_str().expect("a name");
        let points = function["points"].as_array().expect("points");
        let dim = numbers(&points[0]["x"]).len() as u32;
        let named = |name: &str| Surface::named(name, None).or_else(|_| Surface::named(name, Some(dim)));
        let surface =
            named(name).or_else(|_| named(name.trim_end_matches(char::is_numeric))).expect("a catalog surface");
        let surface = match function["box"].as_array() {
            None => surface,
            Some(ends) => {
                let ends: Vec<Vec<f64>> = ends.iter().map(numbers).collect();
                let end = |k: usize| ends.iter().map(|e| e[k]).collect::<Vec<f64>>();
                let domain = Domain { lo: end(0), hi: end(1), log: vec![false; dim as usize] };
                surface.with_domain(domain).expect("the oracle's box")
            }
        };
        // Rosenbrock's list is not exhaustive.
        let complete = !function["box"].is_null();
        let starts = if name.starts_with("rastrigin") { 40_000 } else { 4_000 };
        let found = Stationary { starts, ..Stationary::default() };
        let found = found.find(&Engine::cpu(), &surface, |_| Flow::Continue).expect("finds");
        println!("{name}: {} points, {} flat, {} lost", found.points.len(), found.flat, found.lost);
        agree(name, &found.points, points, complete);
    }
}

fn minima(surface: Surface, optimizer: &str, restarts: u64, steps: u64) -> Vec<Reached> {
    let plan = Plan::new(surface).optimizer(optimizer).restarts(restarts).steps(steps).resolve().expect("a plan");
    let search = Search { audit: 0, ..Search::default() };
    search.minima(&Engine::cpu(), &plan, |_| Flow::Continue).expect("minima").points
}

#[test]
fn minima_are_counted_right() {
    let counts = [
        ("himmelblau", None, "adam(lr=0.05)", 2_000, 4),
        ("six_hump_camel", None, "adam(lr=0.02)", 2_000, 6),
        ("rastrigin", Some(2), "sgd(lr=0.002)", 20_000, 121),
        ("rastrigin", Some(3), "sgd(lr=0.002)", 200_000, 1_331),
        ("vincent", Some(2), "adam(lr=0.02)", 20_000, 36),
    ];
    for (name, dim, optimizer, restarts, expected) in counts {
        let found = minima(Surface::named(name, dim).expect("a catalog surface"), optimizer, restarts, 500);
        let inside = found.iter().filter(|p| p.point.inside);
        assert!(inside.clone().all(|p| p.point.kind == Kind::Minimum), "{name}");
        assert_eq!(inside.count(), expected, "{name}");
    }
    let shubert = minima(Surface::named("shubert", Some(2)).expect("shubert"), "sgd(lr=1e-4)", 40_000, 1_000);
    let lowest = shubert[0].point.value;
    let global = shubert.iter().filter(|p| p.point.inside && p.point.value < lowest + 1e-6);
    assert_eq!(global.count(), 18, "Shubert's global minima");
}

/// Second derivatives from products on an engine against dual numbers over the reference evaluator, which share no code.
#[test]
fn second_derivatives_of_engines_are_those_of_dual_numbers() {
    let mut rows = vec![("himmelblau", 2), ("goldstein_price", 2), ("branin", 2)];
    rows.extend([
        ("rosenbrock", 7),
        ("ackley", 5),
        ("levy", 4),
        ("styblinski_tang", 40),
        ("random_field(terms=60)", 3),
    ]);
    for backend in support::engines() {
        for &precision in backend.precisions() {
            for &(name, dim) in &rows {
                let surface = Surface::named(name, Some(dim)).expect("a catalog surface");
                let n = dim as usize;
                let points = support::catalog::points(&surface, 20, 5).concat();
                let found = backend.engine.hessians(&surface, &points, precision).expect("second derivatives");
                for (x, found) in points.chunks_exact(n).zip(found.chunks_exact(n * n)) {
                    let exact = surface.hessian(x);
                    let largest = exact.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
                    let bound = largest * if precision == Precision::F64 { 1e-10 } else { 3e-3 };
                    for (a, b) in found.iter().zip(&exact) {
                        assert!(
                            (a - b).abs() <= bound,
                            "{} {}: {name} at {x:?}: {a}, {b}",
                            backend.name,
                            precision.name()
                        );
                    }
                }
                if n > 3 {
                    let ends = backend.engine.extreme_eigenvalues(&surface, &points, precision).expect("ends");
                    for (x, [lo, hi]) in points.chunks_exact(n).zip(ends) {
                        let values = catchment::linear::symmetric_eigenvalues(n, &surface.hessian(x));
                        let reach = values[0].abs().max(values[n - 1].abs());
                        let bound = reach * if precision == Precision::F64 { 1e-6 } else { 5e-3 };
                        let near = (lo - values[0]).abs() <= bound && (hi - values[n - 1]).abs() <= bound;
                        assert!(near, "{} {}: {name} at {x:?}: {lo}, {hi}, {values:?}", backend.name, precision.name());
                    }
                }
            }
        }
    }
}
