//! Perceptrons: values and gradients of JAX (tests/data/mlp_reference.json.gz), through `mlp(…)` and every engine.

mod support;

use catchment::{DeviceProblem, Error, Given, Precision, Rows, Surface, SurfaceText};
use serde_json::Value;
use std::sync::Arc;
use support::{engines, oracle};

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn matrix(value: &Value) -> Vec<Vec<f64>> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|row| if row.is_array() { numbers(row) } else { vec![row.as_f64().unwrap()] })
        .collect()
}

/// The columns of a matrix.
fn columns(rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
    (0..rows[0].len()).map(|c| rows.iter().map(|r| r[c]).collect()).collect()
}

struct Case {
    name: String,
    surface: Surface,
    /// Parameters, value, gradient.
    points: Vec<(Vec<f64>, f64, Vec<f64>)>,
}

fn cases() -> Vec<Case> {
    let document = oracle::data("mlp_reference.json.gz");
    let mut out = Vec::new();
    for network in document["networks"].as_array().unwrap() {
        let layers = network["layers"].to_string();
        let parameters = matrix(&network["parameters"]);
        for case in network["cases"].as_array().unwrap() {
            let (activation, loss) = (case["activation"].as_str().unwrap(), case["loss"].as_str().unwrap());
            let name = format!("mlp(layers={layers}, activation={activation}, loss={loss})");
            let answers = match loss {
                "squared" => matrix(&network["targets"]),
                _ => matrix(&network["labels"]),
            };
            let mut all = columns(&matrix(&network["inputs"]));
            all.extend(columns(&answers));
            let rows = Rows::from_columns(&all.iter().map(|c| &c[..]).collect::<Vec<_>>()).unwrap();
            let given = Given { rows: Some(Arc::new(rows)), ..Given::default() };
            let surface = SurfaceText::named(&name).unwrap().with(given).at(None).unwrap();
            let results = case["results"].as_array().unwrap();
            let points = parameters
                .iter()
                .zip(results)
                .map(|(x, r)| (x.clone(), r["value"].as_f64().unwrap(), numbers(&r["gradient"])))
                .collect();
            out.push(Case { name, surface, points });
        }
    }
    out
}

/// Largest difference over largest component.
fn apart(got: &[f64], want: &[f64]) -> f64 {
    let largest = want.iter().fold(0f64, |m, v| m.max(v.abs()));
    got.iter().zip(want).map(|(g, w)| (g - w).abs()).fold(0f64, f64::max) / largest
}

#[test]
fn values_and_gradients_are_those_of_jax() {
    let cases = cases();
    let mut worst = 0f64;
    for case in &cases {
        for (x, value, gradient) in &case.points {
            let (v, g) = case.surface.evaluate(x);
            let error = ((v - value) / value).abs().max(apart(&g, gradient));
            worst = worst.max(error);
            assert!(error < 1e-12, "{}: {v} for {value}, gradient off by {error:e}", case.name);
        }
    }
    println!("{} networks, largest difference {worst:e}", cases.len());
}

#[test]
fn engines_agree_with_jax() {
    for backend in engines() {
        let mut refused = 0;
        for case in cases() {
            let x: Vec<f64> = case.points.iter().flat_map(|p| p.0.clone()).collect();
            for &precision in backend.precisions() {
                let bound = if precision == Precision::F64 { 1e-12 } else { 2e-5 };
                let got = match backend.engine.evaluate(&case.surface, &x, precision) {
                    Ok(got) => got,
                    // A software GPU ends loops after 65,535 turns: it must say so, and not give a wrong sum.
                    Err(Error::Device { problem: DeviceProblem::Refused(why), .. }) if why.contains("loop turns") => {
                        println!("{} refuses {}: {why}", backend.name, case.name);
                        refused += 1;
                        continue;
                    }
                    Err(error) => panic!("{} {}: {error}", backend.name, case.name),
                };
                for (p, (_, value, gradient)) in case.points.iter().enumerate() {
                    let g = &got.gradient[p * gradient.len()..][..gradient.len()];
                    let error = ((got.value[p] - value) / value).abs().max(apart(g, gradient));
                    assert!(error < bound, "{} {} {precision:?}: off by {error:e}", backend.name, case.name);
                }
            }
        }
        assert!(refused <= 2, "{}: {refused} networks refused", backend.name);
    }
}
