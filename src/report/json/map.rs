//! `map --json`.

use super::{Device, Entries, Surface};
use serde::Serialize as Derive;

/// `map --json`: what was drawn.
#[derive(Clone, Debug, Derive)]
pub struct Map {
    /// The form of this document.
    pub schema: u32,
    /// The surface.
    pub surface: Surface,
    /// `contour`, `surface3d`, `basins`, `trajectories`, `learning-rate`, `slice` or `line`.
    pub what: &'static str,
    /// The file.
    pub file: String,
    /// Pixels of a side, for a line places along it.
    pub size: u32,
    /// One range an axis.
    pub view: Vec<MapAxis>,
    /// What descended; empty where nothing did.
    pub optimizers: Vec<String>,
    /// The most steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// The gradient's norm at which a descent has arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gtol: Option<f64>,
    /// The lowest and the highest value of the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<MapRange>,
    /// Pixels without a finite value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undefined: Option<u64>,
    /// Basins, the lowest first; of a line its minima.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basins: Option<Vec<MapBasin>>,
    /// Pixels of descents that are in no basin, or by how they ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixels: Option<Entries<u64>>,
    /// The ends of the ways.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ways: Option<Vec<MapWay>>,
    /// Where it was computed.
    pub device: Device,
    /// How long it took.
    pub timing: MapTiming,
    /// Of the program.
    pub version: &'static str,
}

/// An axis.
#[derive(Clone, Debug, Derive)]
pub struct MapAxis {
    /// Its name.
    pub name: String,
    /// The lower end.
    pub lo: f64,
    /// The upper end.
    pub hi: f64,
    /// Whether it is logarithmic.
    pub log: bool,
}

/// The ends of a range.
#[derive(Clone, Debug, Derive)]
pub struct MapRange {
    /// The lowest.
    pub min: f64,
    /// The highest.
    pub max: f64,
}

/// A basin.
#[derive(Clone, Debug, Derive)]
pub struct MapBasin {
    /// The point.
    pub x: Vec<f64>,
    /// The value there.
    pub value: f64,
    /// What it is.
    pub kind: &'static str,
    /// Pixels from which descents arrived there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixels: Option<u64>,
    /// Their part of all pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fraction: Option<f64>,
    /// Steps to there in the mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_steps: Option<f64>,
}

/// A way's end.
#[derive(Clone, Debug, Derive)]
pub struct MapWay {
    /// The optimizer.
    pub optimizer: String,
    /// The start.
    pub start: Vec<f64>,
    /// The end.
    pub x: Vec<f64>,
    /// The value there.
    pub value: f64,
    /// Steps taken.
    pub steps: u32,
    /// How it ended.
    pub status: &'static str,
}

/// How long a map took.
#[derive(Clone, Debug, Derive)]
pub struct MapTiming {
    /// From the command's begin until all is evaluated, seconds.
    pub run_s: f64,
    /// Drawing and writing, seconds.
    pub draw_s: f64,
    /// From the command's begin, seconds.
    pub total_s: f64,
}
