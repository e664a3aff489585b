//! `survey --json`: of a surface, of a file of points, of random matrices.

use super::minima::{CoverageDocument, CriticalRow};
use super::{Device, Entries, Spread};
use crate::Quantiles;
use crate::analysis::{CriticalPoint, Escaped, StationaryPoints};
use crate::survey::{Curvature, FLAT, Flatness, Settings, Surveyed, Walks, goe};
use crate::{DeviceInfo, wilson};
use serde::Serialize as Derive;

fn spread(q: Quantiles) -> Spread {
    let Quantiles { min, q05, q25, q50, q75, q95, max, mean } = q;
    Spread { min, q05, q25, q50, q75, q95, max, mean }
}

/// `survey SURFACE --json`.
#[derive(Clone, Debug, Derive)]
pub struct Survey {
    schema: u32,
    surface: super::Surface,
    samples: u64,
    seed: u64,
    starts: String,
    precision: &'static str,
    device: Device,
    /// Points whose value or gradient is infinite or NaN.
    nonfinite: u64,
    value: Option<Spread>,
    gradient_norm: Option<Spread>,
    /// The share of points where ‖∂f/∂u‖, u from 0 to 1 along every side of the box, is below `flat.threshold` times the range
    /// of values.
    flat_fraction: Option<f64>,
    flat: Option<Flat>,
    /// Likeness along random walks; null without walks.
    walks: Option<RandomWalks>,
    /// Hessians against values; null where none were computed.
    index_given_value: Option<IndexGivenValue>,
    /// Ends of spectra, where there are too many dimensions for whole Hessians; null elsewhere.
    spectrum_ends: Option<SpectrumEnds>,
    /// Critical points of every index; only with --stationary.
    #[serde(skip_serializing_if = "Option::is_none")]
    stationary_points: Option<Vec<CriticalRow>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stationary: Option<StationarySearch>,
    /// How long optimizers take to leave saddles; only with --escape.
    #[serde(skip_serializing_if = "Option::is_none")]
    escape: Option<Vec<EscapeRow>>,
    /// Operators of the formula that jump or have a kink.
    kinks: Vec<&'static str>,
    /// Points that the features are of.
    #[serde(skip_serializing_if = "Option::is_none")]
    feature_points: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    features: Option<Entries<f64>>,
    timing: Timing,
    version: &'static str,
}

#[derive(Clone, Debug, Derive)]
struct SpectrumEnds {
    points: usize,
    nonfinite: usize,
    eigenvalue_min: Option<Spread>,
    eigenvalue_max: Option<Spread>,
}

#[derive(Clone, Debug, Derive)]
struct StationarySearch {
    starts: u64,
    ended_nowhere: u64,
    gradient_flat: u64,
    coverage: CoverageDocument,
    run_s: f64,
    polish_s: f64,
}

/// How one optimizer left one saddle.
#[derive(Clone, Debug, Derive)]
struct EscapeRow {
    saddle: Vec<f64>,
    index: Option<usize>,
    optimizer: String,
    restarts: u64,
    left: u64,
    fraction: f64,
    interval: [f64; 2],
    /// Steps within which a quarter, half and 95 % of the restarts have left; null where fewer did.
    steps_q25: Option<u32>,
    steps_q50: Option<u32>,
    steps_q95: Option<u32>,
}

#[derive(Clone, Debug, Derive)]
struct Flat {
    threshold: f64,
    count: u64,
    of: u64,
    interval: [f64; 2],
}

#[derive(Clone, Debug, Derive)]
struct RandomWalks {
    count: usize,
    length: usize,
    /// Standard deviation of a step as a share of each side of the box.
    step: f64,
    /// In steps; null where values are constant or not correlated.
    correlation_length: Option<f64>,
    /// Steps until the autocorrelation is 1/e; null where it is not within those told.
    decay: Option<f64>,
    /// r(0), r(1), …
    autocorrelation: Vec<f64>,
}

#[derive(Clone, Debug, Derive)]
struct IndexGivenValue {
    hessians: usize,
    nonfinite: usize,
    degenerate: usize,
    /// Pearson's; null where value or index is constant.
    correlation: Option<f64>,
    /// How many points have 0, 1, … negative eigenvalues.
    index: Vec<u64>,
    deciles: Vec<Group>,
    eigenvalue_min: Option<Spread>,
    eigenvalue_max: Option<Spread>,
}

#[derive(Clone, Debug, Derive)]
struct Group {
    count: usize,
    value: [f64; 2],
    index_mean: f64,
    index_fraction: f64,
}

#[derive(Clone, Debug, Derive)]
struct Timing {
    total_s: f64,
}

impl Survey {
    /// Of a survey; `starts` as the user named them, `total` seconds from the command's begin.
    pub fn new(
        surface: &crate::Surface,
        settings: &Settings,
        found: &Surveyed,
        device: &DeviceInfo,
        starts: &str,
        total: f64,
    ) -> Survey {
        let walks = |w: &Walks| RandomWalks {
            count: w.settings.count,
            length: w.settings.length,
            step: w.settings.step,
            correlation_length: w.correlation_length,
            decay: w.decay,
            autocorrelation: w.autocorrelation.clone(),
        };
        let flat = |f: Flatness| Flat { threshold: FLAT, count: f.count, of: f.of, interval: f.interval };
        Survey {
            schema: 1,
            surface: super::Surface::new(surface),
            samples: found.samples,
            seed: settings.seed,
            starts: starts.to_owned(),
            precision: settings.precision.name(),
            device: Device::new(device),
            nonfinite: found.nonfinite,
            value: found.value.map(spread),
            gradient_norm: found.gradient_norm.map(spread),
            flat_fraction: found.flat.map(|f| f.fraction),
            flat: found.flat.map(flat),
            walks: found.walks.as_ref().map(walks),
            index_given_value: found.curvature.as_ref().map(index_given_value),
            spectrum_ends: found.ends.as_ref().map(|e| SpectrumEnds {
                points: e.points,
                nonfinite: e.nonfinite,
                eigenvalue_min: e.smallest.map(spread),
                eigenvalue_max: e.largest.map(spread),
            }),
            stationary_points: None,
            stationary: None,
            escape: None,
            kinks: found.kinks.clone(),
            feature_points: None,
            features: None,
            timing: Timing { total_s: total },
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    /// With critical points.
    pub fn with_stationary(mut self, found: &StationaryPoints) -> Survey {
        self.stationary_points = Some(found.points.iter().map(CriticalRow::new).collect());
        self.stationary = Some(StationarySearch {
            starts: found.starts,
            ended_nowhere: found.lost,
            gradient_flat: found.flat,
            coverage: CoverageDocument::new(&found.coverage),
            run_s: found.timing.run,
            polish_s: found.polish,
        });
        self
    }

    /// With what optimizers did at saddles.
    pub fn with_escapes(mut self, escapes: &[(CriticalPoint, Vec<Escaped>)]) -> Survey {
        let row = |saddle: &CriticalPoint, e: &Escaped| EscapeRow {
            saddle: saddle.x.clone(),
            index: saddle.index,
            optimizer: e.optimizer.clone(),
            restarts: e.restarts,
            left: e.left,
            fraction: e.left as f64 / e.restarts.max(1) as f64,
            interval: e.interval,
            steps_q25: e.quantile(0.25),
            steps_q50: e.quantile(0.5),
            steps_q95: e.quantile(0.95),
        };
        let rows = escapes.iter().flat_map(|(saddle, all)| all.iter().map(move |e| row(saddle, e)));
        self.escape = Some(rows.collect());
        self
    }

    /// With features of so many of its points.
    pub fn with_features(mut self, points: usize, features: &[(String, f64)]) -> Survey {
        (self.feature_points, self.features) = (Some(points), Some(Entries(features.to_vec())));
        self
    }
}

fn index_given_value(c: &Curvature) -> IndexGivenValue {
    let group = |d: &crate::survey::Decile| Group {
        count: d.count,
        value: [d.lo, d.hi],
        index_mean: d.index,
        index_fraction: d.fraction,
    };
    IndexGivenValue {
        hessians: c.points,
        nonfinite: c.nonfinite,
        degenerate: c.degenerate,
        correlation: c.correlation,
        index: c.index.clone(),
        deciles: c.deciles.iter().map(group).collect(),
        eigenvalue_min: c.smallest.map(spread),
        eigenvalue_max: c.largest.map(spread),
    }
}

/// `survey --points FILE --features --json`.
#[derive(Clone, Debug, Derive)]
pub struct PointFeatures {
    schema: u32,
    points: String,
    dim: usize,
    samples: usize,
    features: Entries<f64>,
    timing: Timing,
    version: &'static str,
}

impl PointFeatures {
    /// Of `samples` points of `dim` coordinates from the file `points`.
    pub fn new(points: &str, dim: usize, samples: usize, features: &[(String, f64)], total: f64) -> PointFeatures {
        PointFeatures {
            schema: 1,
            points: points.to_owned(),
            dim,
            samples,
            features: Entries(features.to_vec()),
            timing: Timing { total_s: total },
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// `survey goe --json`.
#[derive(Clone, Debug, Derive)]
pub struct RandomMatrices {
    schema: u32,
    ensemble: &'static str,
    dim: usize,
    samples: u64,
    seed: u64,
    p_all_positive: Probability,
    /// P(exactly k negative eigenvalues), k = 0 to dim.
    index: Vec<Probability>,
    eigenvalue_min: Spread,
    eigenvalue_max: Spread,
    timing: Timing,
    version: &'static str,
}

#[derive(Clone, Debug, Derive)]
struct Probability {
    index: usize,
    count: u64,
    fraction: f64,
    /// 95 % Wilson interval.
    interval: [f64; 2],
    /// Null where it is not known.
    exact: Option<f64>,
    /// If signs were coins.
    naive: f64,
}

impl RandomMatrices {
    /// Of matrices drawn by `seed`.
    pub fn new(found: &goe::Spectra, seed: u64, total: f64) -> RandomMatrices {
        let dim = found.ensemble.dim;
        let (exact, naive) = (goe::exact_law(dim), goe::naive_law(dim));
        let row = |k: usize| Probability {
            index: k,
            count: found.index[k],
            fraction: found.index[k] as f64 / found.samples as f64,
            interval: wilson(found.index[k], found.samples),
            exact: exact.as_ref().map(|law| law[k]),
            naive: naive[k],
        };
        RandomMatrices {
            schema: 1,
            ensemble: "goe",
            dim,
            samples: found.samples,
            seed,
            p_all_positive: row(0),
            index: (0..=dim).map(row).collect(),
            eigenvalue_min: spread(found.smallest),
            eigenvalue_max: spread(found.largest),
            timing: Timing { total_s: total },
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}
