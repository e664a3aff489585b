//! Which slots of a launch still run, as the host knows it: when to write a new list, and how far to go before looking again.
//!
//! A restart that ends leaves its place idle until the list is written anew, and its invocation until the dispatch ends. With
//! `h` ends a step and running restart, a dispatch of `L` steps idles about `h L / 2` of its work.
//!
//! No result depends on any of this.

/// The share of a dispatch's work that may idle because restarts end within it.
const IDLE: f64 = 0.1;
/// How much longer than the last a dispatch may be while stopping tests are on: ends may come in a wave.
const GROWTH: u64 = 4;

/// A launch's running restarts.
#[derive(Debug)]
pub(super) struct Crowd {
    running: u64,
    /// Slots in the list.
    listed: u64,
    /// Whether the list is the second one.
    second: bool,
    may_stop: bool,
    /// Ends a step and restart in the last dispatch, and its steps.
    last: Option<(f64, u64)>,
}

impl Crowd {
    /// All slots run; `may_stop` tells whether stopping tests are on.
    pub(super) fn new(slots: u64, may_stop: bool) -> Crowd {
        Crowd { running: slots, listed: slots, second: false, may_stop, last: None }
    }

    /// How many run.
    pub(super) fn running(&self) -> u64 {
        self.running
    }

    /// How many slots stand in the list.
    pub(super) fn listed(&self) -> u64 {
        self.listed
    }

    /// Where the list begins, in a launch of this many slots.
    pub(super) fn list(&self, slots: u64) -> u64 {
        if self.second { slots } else { 0 }
    }

    /// The most steps of the next dispatch, but not below `least`.
    pub(super) fn steps(&self, least: u64) -> u64 {
        let most = match self.last {
            Some((rate, _)) if rate > 0.0 => (2.0 * IDLE / rate) as u64,
            Some((_, steps)) if self.may_stop => GROWTH * steps,
            _ => u64::MAX,
        };
        most.max(least).max(1)
    }

    /// Takes note of how many still run a dispatch of `steps`; says whether a new list pays.
    pub(super) fn left(&mut self, running: u64, steps: u64) -> bool {
        let before = self.running.max(1);
        self.last = Some((before.saturating_sub(running) as f64 / (before as f64 * steps as f64), steps));
        self.running = running;
        running > 0 && 10 * running < 9 * self.listed
    }

    /// The other list now holds those that run.
    pub(super) fn compacted(&mut self) {
        self.listed = self.running;
        self.second = !self.second;
    }
}
