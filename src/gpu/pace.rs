//! How many steps a dispatch takes: long enough to be worth it, short enough for every watchdog.

use std::time::Duration;

/// How long a dispatch should take; `CATCHMENT_DISPATCH_MS` overrides it.
const DISPATCH_MS: f64 = 60.0;
/// Seconds below which a dispatch's own overhead counts: measured 0.15 ms on software Vulkan.
const SHORTEST: f64 = 2e-3;

/// Chooses how many steps a dispatch takes, from how long the last ones took.
#[derive(Debug)]
pub(super) struct Pace {
    /// Seconds a slot and step.
    cost: Option<f64>,
    target: f64,
    most: u64,
    /// Steps of the first dispatch.
    first: u64,
    /// What the widest dispatch so far cost.
    learned: Option<Learned>,
}

/// Seconds a slot and step of a dispatch over so many slots.
#[derive(Clone, Copy, Debug)]
pub(super) struct Learned {
    slots: usize,
    cost: f64,
}

impl Pace {
    pub(super) fn new(most: u64) -> Pace {
        let spoken = std::env::var("CATCHMENT_DISPATCH_MS").ok().and_then(|t| t.parse::<f64>().ok());
        let target = spoken.filter(|ms| ms.is_finite() && *ms > 0.0).unwrap_or(DISPATCH_MS).min(250.0) / 1e3;
        Pace { cost: None, target, most, first: 8, learned: None }
    }

    /// The same with this many steps first.
    pub(super) fn beginning(self, first: u64) -> Pace {
        Pace { first, ..self }
    }

    /// The same, which knows what an earlier run's dispatches of this module cost.
    pub(super) fn knowing(self, learned: Option<Learned>) -> Pace {
        Pace { learned, ..self }
    }

    /// What the next run of the module should know.
    pub(super) fn learned(&self) -> Option<Learned> {
        self.learned
    }

    /// The same for another module, of which nothing is known yet.
    pub(super) fn afresh(&self, most: u64) -> Pace {
        Pace { cost: None, learned: None, most, ..*self }
    }

    /// Seconds a slot and step of a dispatch over so many slots: of far fewer than were ever measured, each costs more.
    fn cost(&self, slots: usize) -> Option<f64> {
        self.cost.or_else(|| self.learned.filter(|l| 2 * slots >= l.slots).map(|l| l.cost))
    }

    pub(super) fn steps(&self, slots: usize) -> u64 {
        match self.cost(slots) {
            None => self.first,
            Some(cost) => (self.target / (cost * slots as f64)).clamp(1.0, 1e6) as u64,
        }
        .min(self.most)
    }

    /// Steps of the shortest dispatch that is worth its own overhead.
    pub(super) fn least(&self, slots: usize) -> u64 {
        self.cost(slots).map_or(self.first, |cost| (SHORTEST / (cost * slots as f64)).clamp(1.0, 1e6) as u64)
    }

    pub(super) fn measured(&mut self, slots: usize, steps: u64, elapsed: Duration) {
        let now = elapsed.as_secs_f64().max(1e-6) / (slots as f64 * steps as f64);
        // A short dispatch measures its own overhead: the estimate may fall fast but rises at once.
        let cost = self.cost(slots).map_or(now, |before| if now > before { now } else { now.max(before / 16.0) });
        self.cost = Some(cost);
        if self.learned.is_none_or(|l| slots >= l.slots) {
            self.learned = Some(Learned { slots, cost });
        }
    }
}
