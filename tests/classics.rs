//! Values and gradients of every catalog surface against the oracle: mpmath at 50 digits (tests/data/README.md).

mod support;

use catchment::{Engine, Precision, Surface};

#[test]
fn catalog_equals_the_oracle_in_f64() {
    let mut failures = Vec::new();
    let mut points = 0;
    for case in support::classics() {
        let surface = Surface::named(&case.name, Some(case.dim)).expect("a catalog surface");
        let flat: Vec<f64> = case.points.iter().flat_map(|p| p.x.clone()).collect();
        let got = Engine::cpu().evaluate(&surface, &flat, Precision::F64).expect("evaluates");
        for (i, point) in case.points.iter().enumerate() {
            points += 1;
            let n = case.dim as usize;
            let reference = surface.evaluate(&point.x);
            // Values near zero come from cancellation of terms of the size of the surface's gradient times the point.
            let scale = point.gradient.iter().flatten().zip(&point.x).map(|(g, x)| (g * x).abs()).sum::<f64>();
            let tolerance = 1e-12 * (point.value.abs() + scale.max(1e-3));
            if !((got.value[i] - point.value).abs() <= tolerance) {
                failures.push(format!("{} d={n} x={:?}: value {} not {}", case.name, point.x, got.value[i], point.value));
            }
            if !((reference.0 - point.value).abs() <= tolerance) {
                failures.push(format!("{} d={n}: reference value {} not {}", case.name, reference.0, point.value));
            }
            let Some(gradient) = &point.gradient else { continue };
            let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
            for (k, g) in gradient.iter().enumerate() {
                for (who, value) in [("engine", got.gradient[i * n + k]), ("reference", reference.1[k])] {
                    if !((value - g).abs() <= 1e-11 * (norm + 1e-3)) {
                        failures.push(format!("{} d={n} x={:?}: {who} gradient[{k}] {value} not {g}", case.name, point.x));
                    }
                }
            }
        }
    }
    println!("{points} points");
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures[..failures.len().min(40)].join("\n"));
}
