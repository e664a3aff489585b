//! The set of minima: where descents end, made exact, told apart and counted.
//!
//! ```
//! use catchment::analysis::{Kind, Search};
//! use catchment::{Engine, Plan, Surface};
//! let surface = Surface::named("himmelblau", None)?;
//! let plan = Plan::new(surface).optimizer("adam(lr=0.05)").restarts(500).steps(500).resolve()?;
//! let minima = Search::default().minima(&Engine::cpu(), &plan, |_| catchment::Flow::Continue)?;
//! assert_eq!(minima.points.len(), 4);
//! assert!(minima.points.iter().all(|m| m.point.kind == Kind::Minimum && m.point.value < 1e-20));
//! # Ok::<(), catchment::Error>(())
//! ```

use super::catalogue::{Catalogue, Place};
use super::coverage::{Coverage, unseen_interval};
use super::critical::{CriticalPoint, Kind};
use super::polish::Goal;
use crate::engine::Engine;
use crate::error::Error;
use crate::outcome::{Batch, DeviceInfo, Event, Flow, Progress, Timing, wilson};
use crate::plan::{Plan, Precision};
use crate::random::{Purpose, Stream};
use crate::step::Bounds;
use std::time::Instant;

/// How minima are told apart, and when enough have been found.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// Points nearer than this are one: Euclidean, each coordinate in widths of the box.
    pub tolerance: f64,
    /// Coordinates that are angles: their lower and upper end are one place. With [`Bounds::Wrap`] all are.
    pub periodic: Vec<usize>,
    /// Each configuration stops where the unseen mass is at most one minus this, by its upper 95 % limit.
    pub until_coverage: Option<f64>,
    /// So many restarts are run again in `f64`.
    pub audit: u64,
}

impl Default for Search {
    fn default() -> Search {
        Search { tolerance: 1e-6, periodic: Vec::new(), until_coverage: None, audit: 256 }
    }
}

/// A point where restarts ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Reached {
    /// The point.
    pub point: CriticalPoint,
    /// Restarts that ended there, of all configurations.
    pub hits: u64,
    /// Their share among restarts that ended anywhere.
    pub fraction: f64,
    /// 95 % Wilson interval of the share.
    pub interval: [f64; 2],
    /// Hits by configuration.
    pub hits_by: Vec<u64>,
    /// The lowest number of a restart that ended there.
    pub first_restart: u64,
}

/// How far `f32` can be trusted: restarts that were run again in `f64`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Audit {
    /// How many.
    pub checked: u64,
    /// How many ended somewhere else.
    pub flipped: u64,
    /// 95 % Wilson interval of their share.
    pub interval: [f64; 2],
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Minima {
    /// All points, lowest first.
    pub points: Vec<Reached>,
    /// Restarts that were run, of all configurations.
    pub restarts: u64,
    /// Restarts by configuration.
    pub restarts_by: Vec<u64>,
    /// Restarts that blew up and ended nowhere.
    pub lost: u64,
    /// Restarts that ended where the gradient is small and does not vanish. The first thousand such places are among the points,
    /// and none counts for the coverage.
    pub flat: u64,
    /// Whether each configuration came to the coverage that was asked for; empty where none was.
    pub covered: Vec<bool>,
    /// How much was missed.
    pub coverage: Coverage,
    /// The trust in `f32`; `None` where the run was in `f64`, or where no restart ended anywhere.
    pub audit: Option<Audit>,
    /// Where it ran.
    pub device: DeviceInfo,
    /// Of the descents.
    pub timing: Timing,
    /// Seconds that making exact and telling apart took beside.
    pub polish: f64,
}

/// Restarts between looks at the coverage.
const LOOK: u64 = 1000;
/// Restarts that a device runs at once where a search may end at its coverage.
const PIECE: u64 = 1 << 16;
/// Restarts of an audit that stand next to one another.
const WINDOW: u64 = 64;

impl Search {
    /// Runs a plan and gathers where its restarts ended. Memory is bounded by the number of different ends.
    ///
    /// # Errors
    /// As [`Engine::run`]; [`Error::Setting`] for a bad tolerance, coordinate or coverage; [`Error::Cancelled`].
    pub fn minima(
        &self,
        engine: &Engine,
        plan: &Plan,
        mut tell: impl FnMut(Progress) -> Flow,
    ) -> Result<Minima, Error> {
        self.check(plan)?;
        let held = matches!(plan.bounds(), Bounds::Clip | Bounds::Reflect);
        let periodic: Vec<usize> = match plan.bounds() {
            Bounds::Wrap => (0..plan.surface().dim() as usize).collect(),
            _ => self.periodic.clone(),
        };
        let mut catalogue = Catalogue::new(plan.surface(), Goal::Minimum { held }, self.tolerance, &periodic)?;
        let configurations = plan.configurations().len();
        let mut found = Found::new(configurations);
        let mut timing = Timing::default();
        let mut polish = 0.0;
        for number in 0..configurations {
            // A search that may end soon goes on in pieces.
            let Some(alone) = plan.alone(number, self.until_coverage.map(|_| PIECE)) else { continue };
            let mut counts = Counts::default();
            let (begun, before) = (Instant::now(), polish);
            let outcome = engine.stream(&alone, |event| match event {
                Event::Batch(batch) => {
                    let begun = Instant::now();
                    let met = found.take(&mut catalogue, batch, number, self.until_coverage, &mut counts);
                    polish += begun.elapsed().as_secs_f64();
                    if met { Flow::Stop } else { Flow::Continue }
                }
                Event::Progress(progress) => {
                    let (all, before) = (configurations as f64, number as f64);
                    let done = (before + progress.done / progress.total.max(1.0)) * progress.total;
                    let flow = tell(Progress { done, total: all * progress.total });
                    counts.cancelled |= flow == Flow::Stop;
                    flow
                }
                Event::Trace(_) => Flow::Continue,
            });
            match outcome {
                Ok(outcome) => {
                    timing.compile += outcome.timing.compile;
                    timing.run += (outcome.timing.run - (polish - before)).max(0.0);
                }
                // A run that is stopped at its coverage tells no times: what it took is all but for the Newton steps.
                Err(Error::Cancelled) if counts.met && !counts.cancelled => {
                    timing.run += (begun.elapsed().as_secs_f64() - (polish - before)).max(0.0);
                }
                Err(error) => return Err(error),
            }
            found.covered.extend(self.until_coverage.map(|_| counts.met));
        }
        let begun = Instant::now();
        let audit = self.audit(engine, plan, &mut catalogue, &found)?;
        let minima = found.finish(catalogue, engine.device(), timing);
        Ok(Minima { audit, polish: polish + begun.elapsed().as_secs_f64(), ..minima })
    }

    fn check(&self, plan: &Plan) -> Result<(), Error> {
        let setting = |name, value, expected| Err(Error::Setting { name, value, expected });
        check_metric(self.tolerance, &self.periodic, plan.surface().dim() as usize)?;
        if let Some(share) = self.until_coverage
            && !(share > 0.0 && share < 1.0)
        {
            return setting("the coverage", share, "between 0 and 1");
        }
        if !plan.points() {
            return setting("points of the plan", 0.0, "points that are given out");
        }
        Ok(())
    }

    /// Runs some restarts again in `f64`, in windows of neighbours at random places: restarts are independent.
    fn audit(
        &self,
        engine: &Engine,
        plan: &Plan,
        catalogue: &mut Catalogue<'_>,
        found: &Found,
    ) -> Result<Option<Audit>, Error> {
        if plan.precision() == Precision::F64 || self.audit == 0 || found.restarts_by.iter().all(|&n| n == 0) {
            return Ok(None);
        }
        let exact = Engine::cpu();
        let windows = self.audit.div_ceil(WINDOW);
        let (mut checked, mut flipped) = (0, 0);
        for window in 0..windows {
            let number = (window % found.restarts_by.len() as u64) as usize;
            let restarts = found.restarts_by[number];
            let Some(alone) = plan.alone(number, None) else { continue };
            let count = WINDOW.min(self.audit - window * WINDOW).min(restarts);
            let stream = Stream::new(plan.seed(), window, 0, Purpose::Scramble);
            let place = u64::from(stream.word(0)) << 32 | u64::from(stream.word(1));
            let first = ((u128::from(place) * u128::from(restarts - count + 1)) >> 64) as u64;
            let mut ends = Vec::new();
            for (engine, precision) in [(engine, Precision::F32), (&exact, Precision::F64)] {
                let part = alone.window(plan.first() + first, count, precision);
                let batches = engine.collect(&part)?.1;
                let mut all = Vec::new();
                for batch in &batches {
                    all.extend(catalogue.ends(batch));
                }
                ends.push(all);
            }
            for (single, double) in ends[0].iter().zip(&ends[1]) {
                checked += 1;
                let same = match (single, double) {
                    (Place::Point(a), Place::Point(b)) => catalogue.root(*a) == catalogue.root(*b),
                    (Place::Flat(_), Place::Flat(_)) | (Place::Lost, Place::Lost) => true,
                    _ => false,
                };
                flipped += u64::from(!same);
            }
        }
        Ok(Some(Audit { checked, flipped, interval: wilson(flipped, checked) }))
    }
}

/// The counts of one configuration on its way.
#[derive(Debug, Default)]
struct Counts {
    /// Hits by point, and how many points were hit once and twice.
    hits: Vec<u64>,
    once: u64,
    twice: u64,
    ended: u64,
    met: bool,
    cancelled: bool,
}

impl Counts {
    fn add(&mut self, point: u32) {
        let point = point as usize;
        if self.hits.len() <= point {
            self.hits.resize(point + 1, 0);
        }
        self.hits[point] += 1;
        self.ended += 1;
        match self.hits[point] {
            1 => self.once += 1,
            2 => (self.once, self.twice) = (self.once - 1, self.twice + 1),
            3 => self.twice -= 1,
            _ => {}
        }
    }
}

/// Hits of all configurations.
struct Found {
    /// By configuration and point.
    hits: Vec<Vec<u64>>,
    first: Vec<u64>,
    restarts_by: Vec<u64>,
    lost: u64,
    flat: u64,
    covered: Vec<bool>,
}

impl Found {
    fn new(configurations: usize) -> Found {
        Found {
            hits: vec![Vec::new(); configurations],
            first: Vec::new(),
            restarts_by: vec![0; configurations],
            lost: 0,
            flat: 0,
            covered: Vec::new(),
        }
    }

    /// Counts a batch, up to the restart at which the coverage is met; says whether it is.
    fn take(
        &mut self,
        catalogue: &mut Catalogue<'_>,
        batch: &Batch,
        number: usize,
        until: Option<f64>,
        counts: &mut Counts,
    ) -> bool {
        if counts.met {
            return true;
        }
        let ends = catalogue.ends(batch);
        for (r, end) in ends.into_iter().enumerate() {
            let restart = batch.first + r as u64;
            self.restarts_by[number] += 1;
            match end {
                Place::Lost => self.lost += 1,
                Place::Flat(point) => {
                    self.flat += 1;
                    point.into_iter().for_each(|point| self.hit(number, point, restart));
                }
                Place::Point(point) => {
                    self.hit(number, point, restart);
                    counts.add(point);
                }
            }
            if let Some(share) = until
                && self.restarts_by[number].is_multiple_of(LOOK)
                && unseen_interval(counts.ended, counts.once, counts.twice)[1] <= 1.0 - share
            {
                counts.met = true;
                return true;
            }
        }
        false
    }

    fn hit(&mut self, number: usize, point: u32, restart: u64) {
        let at = point as usize;
        if self.first.len() <= at {
            self.hits.iter_mut().for_each(|list| list.resize(at + 1, 0));
            self.first.resize(at + 1, u64::MAX);
        }
        self.hits[number][at] += 1;
        self.first[at] = self.first[at].min(restart);
    }

    fn finish(self, mut catalogue: Catalogue<'_>, device: DeviceInfo, timing: Timing) -> Minima {
        let count = self.first.len();
        let mut hits_by = vec![vec![0; self.hits.len()]; count];
        let mut first = vec![u64::MAX; count];
        for point in 0..count {
            let root = catalogue.root(point as u32) as usize;
            for (configuration, hits) in self.hits.iter().enumerate() {
                hits_by[root][configuration] += hits[point];
            }
            first[root] = first[root].min(self.first[point]);
        }
        // Shares are of all restarts that ended somewhere, flat places that are only counted too.
        let total = self.restarts_by.iter().sum::<u64>() - self.lost;
        let mut points: Vec<Reached> = Vec::new();
        for (point, (hits_by, first_restart)) in catalogue.into_points().into_iter().zip(hits_by.into_iter().zip(first))
        {
            let hits: u64 = hits_by.iter().sum();
            if hits > 0 {
                let fraction = hits as f64 / total as f64;
                points.push(Reached { point, hits, fraction, interval: wilson(hits, total), hits_by, first_restart });
            }
        }
        sorted(&mut points);
        let critical = points.iter().filter(|p| p.point.kind != Kind::GradientFlat);
        let counted: Vec<u64> = critical.map(|p| p.hits).collect();
        Minima {
            restarts: self.restarts_by.iter().sum(),
            restarts_by: self.restarts_by,
            lost: self.lost,
            flat: self.flat,
            covered: self.covered,
            coverage: Coverage::of(&counted),
            audit: None,
            points,
            device,
            timing,
            polish: 0.0,
        }
    }
}

/// By value, and by place where values are equal to rounding.
pub(super) fn sorted(points: &mut [Reached]) {
    points.sort_by(|a, b| a.point.value.total_cmp(&b.point.value));
    // Runs of values that rounding alone tells apart are put in order of their places.
    let mut from = 0;
    while from < points.len() {
        let value = points[from].point.value;
        let noise = 1e-9 * value.abs().max(1e-3);
        let run = points[from..].iter().take_while(|p| p.point.value - value <= noise).count().max(1);
        points[from..from + run].sort_by(|a, b| {
            let orders = a.point.x.iter().zip(&b.point.x).map(|(a, b)| a.total_cmp(b));
            orders.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
        });
        from += run;
    }
}

/// What can be wrong with a metric.
pub(super) fn check_metric(tolerance: f64, periodic: &[usize], dim: usize) -> Result<(), Error> {
    let setting = |name, value, expected| Err(Error::Setting { name, value, expected });
    if !(tolerance > 0.0 && tolerance <= 0.5) {
        return setting("the tolerance", tolerance, "above 0 and at most 0.5 widths of the box");
    }
    match periodic.iter().find(|&&i| i >= dim) {
        Some(&far) => setting("a periodic coordinate", far as f64, "below the dimension; the first is 0"),
        None => Ok(()),
    }
}
