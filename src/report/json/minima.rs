//! `minima --json`, and the rows that `survey --json` shares with it.

use super::{Device, Entries, Surface};
use crate::Plan;
use crate::analysis::{Coverage, Minima, Reached};
use serde::Serialize as Derive;

/// `minima --json`.
#[derive(Clone, Debug, Derive)]
pub struct MinimaDocument {
    schema: u32,
    surface: Surface,
    seed: u64,
    restarts: u64,
    steps: u64,
    starts: String,
    tolerance: f64,
    configurations: Vec<MinimaConfiguration>,
    minima: Vec<CriticalRow>,
    /// Restarts that blew up or ran downhill without end, and that ended where no gradient vanishes.
    ended_nowhere: u64,
    gradient_flat: u64,
    coverage: CoverageDocument,
    precision_audit: Option<AuditDocument>,
    device: Device,
    timing: Entries<f64>,
    version: &'static str,
}

#[derive(Clone, Debug, Derive)]
struct MinimaConfiguration {
    id: usize,
    optimizer: String,
    restarts: u64,
    /// Whether `--until-coverage` was met; null where it was not asked for.
    covered: Option<bool>,
}

/// A critical point, or an end that is none.
#[derive(Clone, Debug, Derive)]
pub struct CriticalRow {
    x: Vec<f64>,
    value: f64,
    gradient_norm: f64,
    hits: u64,
    fraction: f64,
    interval: [f64; 2],
    /// Hits by configuration.
    hits_by: Vec<u64>,
    eigenvalues: Vec<f64>,
    kind: &'static str,
    index: Option<usize>,
    kink: bool,
    inside: bool,
    at_bounds: usize,
    first_restart: u64,
}

impl CriticalRow {
    /// Of a point.
    pub fn new(reached: &Reached) -> CriticalRow {
        let point = &reached.point;
        CriticalRow {
            x: point.x.clone(),
            value: point.value,
            gradient_norm: point.gradient_norm,
            hits: reached.hits,
            fraction: reached.fraction,
            interval: reached.interval,
            hits_by: reached.hits_by.clone(),
            eigenvalues: point.eigenvalues.clone(),
            kind: point.kind.name(),
            index: point.index,
            kink: point.kink,
            inside: point.inside,
            at_bounds: point.at_bounds,
            first_restart: reached.first_restart,
        }
    }
}

/// How much was missed.
#[derive(Clone, Debug, Derive)]
pub struct CoverageDocument {
    observed: u64,
    unseen_mass: f64,
    unseen_interval: [f64; 2],
    chao1: f64,
    boender_rinnooy_kan: Option<f64>,
    covered: Option<f64>,
    /// Of `chao1`.
    interval: [f64; 2],
}

impl CoverageDocument {
    /// Of estimates.
    pub fn new(coverage: &Coverage) -> CoverageDocument {
        let Coverage { observed, unseen_mass, unseen_interval, chao1, interval, boender_rinnooy_kan, covered, .. } =
            *coverage;
        CoverageDocument { observed, unseen_mass, unseen_interval, chao1, boender_rinnooy_kan, covered, interval }
    }
}

#[derive(Clone, Debug, Derive)]
struct AuditDocument {
    checked: u64,
    flipped: u64,
    interval: [f64; 2],
}

impl MinimaDocument {
    /// Of a search; `total` is the time of everything, seconds.
    pub fn new(plan: &Plan, minima: &Minima, tolerance: f64, starts: &str, total: f64) -> MinimaDocument {
        let configuration = |id: usize| MinimaConfiguration {
            id,
            optimizer: plan.configurations()[id].text.clone(),
            restarts: minima.restarts_by[id],
            covered: minima.covered.get(id).copied(),
        };
        let timing = [
            ("compile_s", minima.timing.compile),
            ("run_s", minima.timing.run),
            ("polish_s", minima.polish),
            ("total_s", total),
        ];
        MinimaDocument {
            schema: 1,
            surface: Surface::new(plan.surface()),
            seed: plan.seed(),
            restarts: minima.restarts,
            steps: plan.steps(),
            starts: starts.to_owned(),
            tolerance,
            configurations: (0..minima.restarts_by.len()).map(configuration).collect(),
            minima: minima.points.iter().map(CriticalRow::new).collect(),
            ended_nowhere: minima.lost,
            gradient_flat: minima.flat,
            coverage: CoverageDocument::new(&minima.coverage),
            precision_audit: minima.audit.map(|a| AuditDocument {
                checked: a.checked,
                flipped: a.flipped,
                interval: a.interval,
            }),
            device: Device::new(&minima.device),
            timing: Entries(timing.map(|(name, seconds)| (name.to_owned(), seconds)).to_vec()),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}
