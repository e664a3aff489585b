//! Reading the oracles in tests/data.
#![allow(dead_code, reason = "every test file uses its own part")]

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
    pub smooth: bool,
    pub points: Vec<Point>,
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

/// All blocks of the classics oracle.
pub fn classics() -> Vec<Classic> {
    let data = data("classics_public.json.gz");
    let mut out = Vec::new();
    for function in data["functions"].as_array().expect("functions") {
        for block in function["blocks"].as_array().expect("blocks") {
            let point = |p: &Value| Some(Point { x: numbers(&p["x"])?, value: p["f"].as_f64()?, gradient: numbers(&p["grad"]) });
            out.push(Classic {
                name: function["name"].as_str().expect("a name").to_owned(),
                dim: block["dim"].as_u64().expect("a dimension") as u32,
                smooth: function["smooth"].as_bool().unwrap_or(true),
                points: block["points"].as_array().expect("points").iter().filter_map(point).collect(),
            });
        }
    }
    out
}
