//! The oracles of tests/data (its README says where they come from).

use flate2::read::GzDecoder;
use serde_json::Value;
use std::fs::File;
use std::path::Path;

/// One point of an oracle surface.
pub struct Point {
    pub x: Vec<f64>,
    pub value: f64,
    pub gradient: Option<Vec<f64>>,
}

/// One surface in one dimension.
pub struct Classic {
    pub name: String,
    pub dim: u32,
    pub points: Vec<Point>,
}

/// One descent.
pub struct Trajectory {
    pub id: String,
    pub surface: String,
    pub dim: u32,
    pub framework: String,
    pub optimizer: String,
    pub hyper: Value,
    pub start: Vec<f64>,
    pub records: Vec<Record>,
    /// The first step at which a coordinate passes 1e6.
    pub blowup: Option<u64>,
}

/// One point of a descent, and how far `max |x - x'| / max(1, |x'|)` may go in each precision; `None` where the descent
/// is chaotic.
pub struct Record {
    pub step: u64,
    pub x: Vec<f64>,
    pub tolerance64: Option<f64>,
    pub tolerance32: Option<f64>,
}

/// A gzipped JSON document of tests/data.
pub fn data(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    serde_json::from_reader(GzDecoder::new(File::open(&path).expect("an oracle file"))).expect("JSON")
}

/// Numbers of a JSON array; `None` where one is null.
pub fn numbers(value: &Value) -> Option<Vec<f64>> {
    value.as_array()?.iter().map(Value::as_f64).collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// All blocks of the classics oracle.
pub fn classics() -> Vec<Classic> {
    let data = data("classics_public.json.gz");
    let mut out = Vec::new();
    for function in data["functions"].as_array().expect("functions") {
        for block in function["blocks"].as_array().expect("blocks") {
            let point = |p: &Value| {
                Some(Point { x: numbers(&p["x"])?, value: p["f"].as_f64()?, gradient: numbers(&p["grad"]) })
            };
            out.push(Classic {
                name: text(&function["name"]),
                dim: block["dim"].as_u64().expect("a dimension") as u32,
                points: block["points"].as_array().expect("points").iter().filter_map(point).collect(),
            });
        }
    }
    out
}

/// All descents of the trajectories oracle.
pub fn trajectories() -> Vec<Trajectory> {
    let data = data("trajectories_public.json.gz");
    let record = |r: &Value| Record {
        step: r["t"].as_u64().expect("a step"),
        x: numbers(&r["x"]).expect("a point"),
        tolerance64: r["tol64"].as_f64(),
        tolerance32: r["tol32"].as_f64(),
    };
    let case = |c: &Value| Trajectory {
        id: text(&c["id"]),
        surface: text(&c["surface"]),
        dim: c["dim"].as_u64().expect("a dimension") as u32,
        framework: text(&c["framework"]),
        optimizer: text(&c["optimizer"]),
        hyper: c["hp"].clone(),
        start: numbers(&c["x0"]).expect("a start"),
        records: c["records"].as_array().expect("records").iter().map(record).collect(),
        blowup: c["blowup_step"].as_u64(),
    };
    data["cases"].as_array().expect("cases").iter().map(case).collect()
}
