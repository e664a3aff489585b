//! A cohort: restarts that begin together and take their steps together, in tiles that stay full.
//!
//! A restart that stops leaves its lane. When the others fit into fewer tiles, the last ones move up into the empty lanes: so
//! what has ended costs nothing, and every lane of a tile is always at the same step.

use super::engine::{HostTable, Job};
use super::lane::Lane;
use super::program::{HUGE, Runner};
use super::tile::{Line, Ring, TileLayout, Work, lines};
use crate::graph::DIVERGED;
use crate::outcome::{Batch, Status, TraceBatch};
use crate::plan::Stopping;
use crate::random::key_of;
use std::ops::Range;
use std::sync::atomic::Ordering;

/// Bytes of tiles that are stepped together: half of a usual first-level cache.
const NEAR: usize = 24 << 10;
/// Coordinates times steps that pass before a wish to stop is heard.
const PATIENCE: u64 = 1 << 22;
/// Steps that pass, at most, before lanes are looked through for ended restarts.
const BURST: u64 = 256;

/// How many tiles are stepped together.
pub(super) fn tiles_near(tile_bytes: usize, together: usize) -> usize {
    (NEAR / tile_bytes.max(1)).clamp(1, 64).next_multiple_of(together)
}

/// Where each restart of a cohort ended.
struct Ends<F> {
    status: Vec<u8>,
    steps: Vec<u32>,
    /// Coordinate-major.
    x: Vec<F>,
    last_value: Vec<F>,
}

impl<F: Lane> Ends<F> {
    /// Notes where a restart, one of `count`, has ended; `point` gives a coordinate.
    fn put(
        &mut self,
        restart: usize,
        count: usize,
        status: Status,
        steps: u32,
        dim: usize,
        point: impl Fn(usize) -> F,
    ) {
        self.status[restart] = status as u8;
        self.steps[restart] = steps;
        self.x.resize(dim * count, F::default());
        for i in 0..dim {
            self.x[i * count + restart] = point(i);
        }
    }
}

/// A thread's own memory, used by one cohort after the other.
pub(super) struct Workspace<'j, F> {
    runner: Box<dyn Runner<F> + 'j>,
    evaluator: Box<dyn Runner<F> + 'j>,
    tiles: Vec<Line>,
    starts: Vec<f32>,
}

impl<'j, F: Lane> Workspace<'j, F> {
    pub(super) fn new(job: &Job<'j, F>) -> Workspace<'j, F> {
        let key = key_of(job.plan.seed());
        let (runner, evaluator) = (job.step.runner(key, job.data), job.evaluation.runner(key, job.data));
        Workspace { runner, evaluator, tiles: Vec::new(), starts: Vec::new() }
    }
}

/// The restarts that still run, and those that ended.
struct Cohort<'j, F> {
    layout: &'j TileLayout,
    lanes: usize,
    /// Restarts of the cohort.
    count: usize,
    memory: Vec<Line>,
    tiles: usize,
    /// Tiles that go together.
    together: usize,
    /// Which restart of the cohort has each lane.
    who: Vec<u32>,
    running: usize,
    /// Which of the two parameter arrays is before the next step.
    flip: usize,
    ends: Ends<F>,
    stopping: Stopping,
    has_value: bool,
    /// Whether steps draw random numbers.
    draws: bool,
    /// Tiles and the lanes that machine code has put down there.
    put_down: Vec<(usize, u64)>,
}

/// A way through the lanes that run: words of bits, one after the other.
struct Lanes {
    next: usize,
    end: usize,
    /// The word under way, and what of it is left.
    word: usize,
    bits: u64,
}

impl Lanes {
    /// The next tile and lane, of tiles of so many words.
    #[inline]
    fn next(&mut self, words: usize, alive: impl Fn(usize) -> u64) -> Option<(usize, usize)> {
        while self.bits == 0 {
            if self.next == self.end {
                return None;
            }
            self.word = self.next;
            self.bits = alive(self.word);
            self.next += 1;
        }
        let lane = 64 * (self.word % words) + self.bits.trailing_zeros() as usize;
        self.bits &= self.bits - 1;
        Some((self.word / words, lane))
    }
}

/// Descends restarts `first..first + count` of a configuration; `None` where the run was stopped.
pub(super) fn descend<F: Lane>(
    job: &Job<'_, F>,
    space: &mut Workspace<'_, F>,
    number: usize,
    host: &HostTable<F>,
    first: u64,
    count: usize,
) -> Option<(Batch, Vec<TraceBatch>)> {
    let plan = job.plan;
    let id = plan.first() + first;
    let mut cohort = Cohort::new(job, space, number, host, id, count);
    let Workspace { runner, evaluator, .. } = space;
    let start_value = if plan.points() { cohort.values(job, &mut **evaluator).0 } else { Vec::new() };
    let wanted = &plan.trace().steps;
    let traced = |who: usize| first + (who as u64) < plan.trace().restarts;
    let mut traces = Vec::new();
    let mut record = |cohort: &Cohort<'_, F>, evaluator: &mut dyn Runner<F>, step: u64| {
        let mut kept: Vec<(u32, usize)> = cohort.runners().filter(|&(who, _)| traced(who as usize)).collect();
        kept.sort_unstable();
        if kept.is_empty() {
            return;
        }
        let mut x = Vec::with_capacity(cohort.layout.dim * kept.len());
        for i in 0..cohort.layout.dim {
            x.extend(kept.iter().map(|&(_, lane)| cohort.coordinate(i, lane)));
        }
        let (value, norm) =
            job.values(evaluator, kept.len(), |i, to| to.copy_from_slice(&x[i * kept.len()..][..kept.len()]));
        traces.push(TraceBatch {
            configuration: number,
            step,
            restarts: kept.iter().map(|&(who, _)| id + u64::from(who)).collect(),
            value: F::column(value),
            gradient_norm: F::column(norm),
            x: F::column(x),
        });
    };
    if wanted.contains(&0) {
        record(&cohort, &mut **evaluator, 0);
    }
    let mut own = (!host.whole).then(|| job.program.step.host.run(&plan.configurations()[number].hyper, plan.steps()));
    let mut window: Vec<F> = Vec::new();
    let stride = job.program.step.host.len();
    let mut done = 0u64;
    while done < plan.steps() && cohort.running > 0 {
        if job.stop.load(Ordering::Relaxed) {
            return None;
        }
        let work = (cohort.running * cohort.layout.dim) as u64 * job.weight;
        let mut burst = (PATIENCE / work.max(1)).clamp(1, 1 << 16);
        if cohort.stopping.any() {
            burst = burst.min((done / 16).clamp(16, BURST));
        }
        let trace = wanted.iter().copied().find(|&t| t > done).unwrap_or(u64::MAX);
        let to = (done + burst).min(plan.steps()).min(trace);
        let scalars: &[F] = match &mut own {
            None => &host.values[done as usize * host.stride..],
            Some(run) => {
                let mut rows = Vec::new();
                run.extend(to - done, &mut rows);
                window.clear();
                window.extend(rows.into_iter().map(F::of));
                &window
            }
        };
        let stride = if own.is_some() { stride } else { host.stride };
        cohort.run(&mut **runner, job.near, scalars, stride, done, to);
        job.done.fetch_add((to - done) * count as u64, Ordering::Relaxed);
        done = to;
        cohort.compact();
        if wanted.contains(&done) {
            record(&cohort, &mut **evaluator, done);
        }
    }
    job.done.fetch_add((plan.steps() - done) * count as u64, Ordering::Relaxed);
    let all_run = cohort.running == count;
    cohort.leave(plan.steps(), plan.points() || !all_run);
    let (value, norm) = if all_run {
        cohort.values(job, &mut **evaluator)
    } else {
        let x = &cohort.ends.x;
        job.values(&mut **evaluator, count, |i, to| to.copy_from_slice(&x[i * count..][..count]))
    };
    space.tiles = std::mem::take(&mut cohort.memory);
    Some((finish(job, cohort, value, norm, number, id, start_value), traces))
}

/// Final values, and how the restarts ended that ran to the last step.
fn finish<F: Lane>(
    job: &Job<'_, F>,
    cohort: Cohort<'_, F>,
    value: Vec<F>,
    norm: Vec<F>,
    number: usize,
    id: u64,
    start_value: Vec<F>,
) -> Batch {
    let plan = job.plan;
    let (count, ends) = (cohort.count, cohort.ends);
    let stopping = cohort.stopping;
    let broken = |value: F, norm: F| !value.to().is_finite() || norm.to().is_nan();
    let settled = |restart: usize| {
        if let Some(status) = Status::from_code(u32::from(ends.status[restart])) {
            return status;
        }
        let (value, norm) = (value[restart], norm[restart]);
        if broken(value, norm) {
            return Status::Nonfinite;
        }
        if !stopping.any() {
            return Status::MaxSteps;
        }
        let square = F::of(norm.to() * norm.to());
        stops(&stopping, Some(value), Some(square), Some(ends.last_value[restart])).unwrap_or(Status::MaxSteps)
    };
    let settles = stopping.any() || ends.status.iter().any(|&status| status != 0);
    let status = if settles {
        (0..count).map(settled).collect()
    } else {
        let of = |(&value, &norm)| if broken(value, norm) { Status::Nonfinite } else { Status::MaxSteps };
        value.iter().zip(&norm).map(of).collect()
    };
    Batch {
        configuration: number,
        first: id,
        dim: cohort.layout.dim,
        value: F::column(value),
        gradient_norm: F::column(if plan.points() { norm } else { Vec::new() }),
        steps: ends.steps,
        status,
        start_value: F::column(start_value),
        x: F::column(if plan.points() { ends.x } else { Vec::new() }),
    }
}

impl<'j, F: Lane> Cohort<'j, F> {
    fn new(
        job: &'j Job<'_, F>,
        space: &mut Workspace<'_, F>,
        number: usize,
        host: &HostTable<F>,
        id: u64,
        count: usize,
    ) -> Cohort<'j, F> {
        let (layout, lanes, plan) = (job.step.layout(), job.step.lanes(), job.plan);
        let dim = layout.dim;
        let tile_count = count.div_ceil(lanes).next_multiple_of(job.together());
        let starts = &mut space.starts;
        starts.resize(dim * count, 0.0);
        plan.sampler().fill(id, count, starts);
        let mut drawn = vec![f64::NAN; layout.drawn * count];
        for (slot, column) in drawn.chunks_exact_mut(count).enumerate() {
            plan.drawn_column(number, slot, id, column);
        }
        let mut memory = std::mem::take(&mut space.tiles);
        memory.resize(lines::<F>(layout, lanes, tile_count), Line::default());
        for (number_of_tile, tile) in F::numbers_mut(&mut memory).chunks_exact_mut(layout.len() * lanes).enumerate() {
            let from = number_of_tile * lanes;
            let here = lanes.min(count.saturating_sub(from));
            for i in 0..dim {
                let row = &mut tile[layout.row(i, lanes)];
                // Lanes behind the last restart repeat it.
                row[here..].fill(F::from_start(starts[(i + 1) * count - 1]));
                for (x, &start) in row.iter_mut().zip(&starts[i * count + from.min(count)..][..here]) {
                    *x = F::from_start(start);
                }
            }
            for (k, &initial) in host.initial.iter().enumerate() {
                tile[layout.state(k) * lanes..][..dim * lanes].fill(initial);
            }
            tile[layout.row(layout.last(), lanes)].fill(F::of(f64::NAN));
            let restart = |lane: usize| id + (from + lane).min(count - 1) as u64;
            layout.set_ids(tile, lanes, restart);
            for (word, alive) in layout.alive(tile, lanes).iter_mut().enumerate() {
                let bits = here.saturating_sub(64 * word).min(64) as u32;
                *alive = u64::MAX.checked_shr(64 - bits).unwrap_or(0);
            }
            for slot in 0..layout.drawn {
                let drawn = &drawn[slot * count..][..count];
                let row = &mut tile[layout.row(layout.drawn() + slot, lanes)];
                for (lane, to) in row.iter_mut().enumerate() {
                    *to = F::of(drawn[(from + lane).min(count - 1)]);
                }
            }
        }
        let ends = Ends {
            status: vec![0; count],
            steps: vec![0; count],
            x: Vec::new(),
            last_value: vec![F::default(); count],
        };
        Cohort {
            layout,
            lanes,
            count,
            memory,
            tiles: tile_count,
            together: job.together(),
            who: (0..(tile_count * lanes) as u32).collect(),
            running: count,
            flip: 0,
            ends,
            stopping: plan.stopping(),
            has_value: job.program.step.value.is_some(),
            draws: job.program.step.sites > 0 || plan.row_draws().is_some(),
            put_down: Vec::new(),
        }
    }

    fn tile_len(&self) -> usize {
        self.layout.len() * self.lanes
    }

    /// Restarts that run, and their lanes.
    fn runners(&self) -> impl Iterator<Item = (u32, usize)> + '_ {
        let tiles = F::numbers(&self.memory).chunks_exact(self.tile_len()).take(self.tiles).enumerate();
        tiles.flat_map(move |(t, tile)| {
            self.layout.running(tile, self.lanes).map(move |lane| t * self.lanes + lane).map(|at| (self.who[at], at))
        })
    }

    /// A coordinate of a lane's restart.
    fn coordinate(&self, i: usize, at: usize) -> F {
        let (tile, lane) = (at / self.lanes, at % self.lanes);
        F::numbers(&self.memory)[tile * self.tile_len() + (self.flip * self.layout.dim + i) * self.lanes + lane]
    }

    /// Takes steps `from` to `to`, a few tiles at a time.
    fn run(&mut self, runner: &mut dyn Runner<F>, near: usize, host: &[F], stride: usize, from: u64, to: u64) {
        let bytes = self.tile_len() * size_of::<F>();
        let line = size_of::<Line>();
        for begin in (0..self.tiles).step_by(near) {
            let end = (begin + near).min(self.tiles);
            let Cohort { memory, ends, layout, lanes, who, running, stopping, has_value, count, .. } = self;
            let tiles = &mut memory[begin * bytes / line..end * bytes / line];
            let work = Work { tiles, flip: self.flip, host, stride, step: from, steps: to };
            runner.run(work, &mut |ring: Ring<'_, F>| {
                let who = &who[(begin + ring.tile) * *lanes..][..*lanes];
                *running -= settle(layout, stopping, *has_value, who, *count, ends, ring);
            });
            if layout.puts_down {
                self.gather(begin..end);
            }
        }
        self.flip ^= ((to - from) & 1) as usize;
    }

    /// Gathers the restarts that machine code has put down in some tiles.
    fn gather(&mut self, tiles: Range<usize>) {
        let (len, lanes, layout, count) = (self.tile_len(), self.lanes, self.layout, self.count);
        // Without branches: whether a tile holds some is a coin's toss.
        let mut found = 0;
        self.put_down.resize(tiles.len() + 1, (0, 0));
        for t in tiles {
            let left = std::mem::take(layout.put_down(&mut F::numbers_mut(&mut self.memory)[t * len..][..len], lanes));
            self.put_down[found] = (t, left);
            found += usize::from(left != 0);
        }
        let ended: usize = self.put_down[..found].iter().map(|tile| tile.1.count_ones() as usize).sum();
        let numbers = F::numbers(&self.memory);
        let words: &[u32] = bytemuck::cast_slice(numbers);
        let (first, per) = (layout.ends() * lanes, size_of::<F>() / size_of::<u32>());
        let steps = (first + layout.dim * lanes) * per;
        let (mut at, (mut t, mut left)) = (0, self.put_down[0]);
        for _ in 0..ended {
            let lane = left.trailing_zeros() as usize;
            left &= left - 1;
            let restart = self.who[t * lanes + lane] as usize;
            let taken = words[t * len * per + steps + lane];
            let point = |i: usize| numbers[t * len + first + i * lanes + lane];
            self.ends.put(restart, count, Status::Converged, taken, layout.dim, point);
            at += usize::from(left == 0);
            (t, left) = if left == 0 { self.put_down[at] } else { (t, left) };
        }
        self.running -= ended;
    }

    /// Moves the last restarts into empty lanes where that saves tiles.
    fn compact(&mut self) {
        let needed = self.running.div_ceil(self.lanes).max(1).next_multiple_of(self.together);
        if needed >= self.tiles {
            return;
        }
        let (lanes, len, layout, dim) = (self.lanes, self.tile_len(), self.layout, self.layout.dim);
        // What the next step reads: it writes the other parameters whole.
        let x = self.flip * dim;
        let rows = (x..x + dim).chain(layout.state(0)..layout.gradient());
        let rows: Vec<usize> = rows.chain(self.has_value.then(|| layout.last())).map(|row| row * lanes).collect();
        let numbers = F::numbers_mut(&mut self.memory);
        let words = lanes.div_ceil(64);
        let mut movers = Lanes { next: needed * words, end: self.tiles * words, word: 0, bits: 0 };
        'all: for (t, who) in (0..needed).zip((0..).step_by(lanes)) {
            for word in 0..words {
                let here = (lanes - 64 * word).min(64);
                let alive = layout.alive(&mut numbers[t * len..][..len], lanes)[word];
                let all = u64::MAX >> (64 - here);
                let mut empty = !alive & all;
                while empty != 0 {
                    let lane = 64 * word + empty.trailing_zeros() as usize;
                    empty &= empty - 1;
                    let alive = |at: usize| layout.alive_of(&numbers[at / words * len..][..len], lanes)[at % words];
                    let Some((tile, from)) = movers.next(words, alive) else {
                        layout.alive(&mut numbers[t * len..][..len], lanes)[word] = all & !empty & !(1 << (lane % 64));
                        break 'all;
                    };
                    let (source, target) = (tile * len + from, t * len + lane);
                    for &row in &rows {
                        numbers[target + row] = numbers[source + row];
                    }
                    if self.draws {
                        let id = layout.id(&numbers[tile * len..][..len], lanes, from);
                        layout.set_id(&mut numbers[t * len..][..len], lanes, lane, id);
                    }
                    self.who[who + lane] = self.who[tile * lanes + from];
                }
                layout.alive(&mut numbers[t * len..][..len], lanes)[word] = all;
            }
        }
        self.tiles = needed;
    }

    /// Values and gradient norms of all restarts, while none has ended.
    fn values(&mut self, job: &Job<'_, F>, evaluator: &mut dyn Runner<F>) -> (Vec<F>, Vec<F>) {
        let (layout, lanes, len, dim, flip) = (self.layout, self.lanes, self.tile_len(), self.layout.dim, self.flip);
        if job.in_place() {
            job.evaluate(evaluator, &mut self.memory, flip);
            return job.outputs(&self.memory, self.count);
        }
        let numbers = F::numbers(&self.memory);
        job.values(evaluator, self.count, |i, to| {
            for (tile, to) in numbers.chunks_exact(len).zip(to.chunks_mut(lanes)) {
                to.copy_from_slice(&tile[layout.row(flip * dim + i, lanes)][..to.len()]);
            }
        })
    }

    /// Those that still run have taken all steps; their points are kept where they are wanted.
    fn leave(&mut self, steps: u64, points: bool) {
        let (layout, lanes, len, count) = (self.layout, self.lanes, self.tile_len(), self.count);
        let Ends { x, steps: taken, last_value, .. } = &mut self.ends;
        if points {
            x.resize(layout.dim * count, F::default());
        }
        let last = layout.row(layout.last(), lanes).start;
        if self.running == count {
            // Nobody has moved: restarts lie in their order.
            taken.fill(steps as u32);
            for (t, tile) in F::numbers(&self.memory).chunks_exact(len).take(count.div_ceil(lanes)).enumerate() {
                let here = lanes.min(count - t * lanes);
                last_value[t * lanes..][..here].copy_from_slice(&tile[last..][..here]);
                for i in 0..if points { layout.dim } else { 0 } {
                    let row = &tile[layout.row(self.flip * layout.dim + i, lanes)];
                    x[i * count + t * lanes..][..here].copy_from_slice(&row[..here]);
                }
            }
            return;
        }
        for (t, tile) in F::numbers(&self.memory).chunks_exact(len).take(self.tiles).enumerate() {
            let who = &self.who[t * lanes..][..lanes];
            for lane in layout.running(tile, lanes) {
                taken[who[lane] as usize] = steps as u32;
                last_value[who[lane] as usize] = tile[last + lane];
            }
            for i in 0..if points { layout.dim } else { 0 } {
                let row = &tile[layout.row(self.flip * layout.dim + i, lanes)];
                for lane in layout.running(tile, lanes) {
                    x[i * count + who[lane] as usize] = row[lane];
                }
            }
        }
    }
}

/// Looks at a tile that rang: who stops keeps the point before the step. Gives how many stopped.
fn settle<F: Lane>(
    layout: &TileLayout,
    stopping: &Stopping,
    has_value: bool,
    who: &[u32],
    count: usize,
    ends: &mut Ends<F>,
    ring: Ring<'_, F>,
) -> usize {
    let Ring { step, rows, lanes: rung, before, after, gradient, value, norm, .. } = ring;
    let lanes = who.len();
    let (dim, last) = (layout.dim, layout.last() * lanes);
    let huge = F::of(HUGE);
    let mut ended = 0;
    for (word, mut left) in rung.into_iter().enumerate() {
        while left != 0 {
            let lane = 64 * word + left.trailing_zeros() as usize;
            left &= left - 1;
            let now = has_value.then(|| value[lane]);
            let norm = stopping.gradient.is_some().then(|| norm[lane]);
            let magnitude = |i: usize| rows[(after + i) * lanes + lane].to().abs();
            // A gradient's alarm may also be NaN.
            let status = if !(gradient[lane] <= huge) {
                Status::Nonfinite
            } else if let Some(status) = stops(stopping, now, norm, (step > 0).then_some(rows[last + lane])) {
                status
            } else if (0..dim).any(|i| !(magnitude(i) <= DIVERGED)) {
                Status::Diverged
            } else {
                continue;
            };
            ends.put(who[lane] as usize, count, status, step as u32, dim, |i| rows[(before + i) * lanes + lane]);
            layout.alive(rows, lanes)[word] &= !(1 << (lane % 64));
            ended += 1;
            repeat_a_runner(layout, rows, lanes, lane);
        }
    }
    if has_value {
        rows[last..last + lanes].copy_from_slice(value);
    }
    ended
}

/// An empty lane does what a lane does that runs: nothing it computes can be slow.
fn repeat_a_runner<F: Lane>(layout: &TileLayout, rows: &mut [F], lanes: usize, empty: usize) {
    let Some(model) = layout.alive(rows, lanes).iter().enumerate().find(|w| *w.1 != 0) else { return };
    let model = 64 * model.0 + model.1.trailing_zeros() as usize;
    for row in 0..layout.gradient() {
        rows[row * lanes + empty] = rows[row * lanes + model];
    }
}

/// Whether a restart stops at its point, for a reason other than a blow-up.
fn stops<F: Lane>(
    stopping: &Stopping,
    value: Option<F>,
    squared_norm: Option<F>,
    last_value: Option<F>,
) -> Option<Status> {
    if let (Some(tolerance), Some(norm)) = (stopping.gradient, squared_norm)
        && norm <= F::of(tolerance * tolerance)
    {
        return Some(Status::Converged);
    }
    let now = value?;
    if stopping.target.is_some_and(|target| now <= F::of(target)) {
        return Some(Status::Target);
    }
    if let (Some(tolerance), Some(last)) = (stopping.change, last_value) {
        let change = (now.to() - last.to()).abs();
        if change <= tolerance * now.to().abs().max(1.0) {
            return Some(Status::Stalled);
        }
    }
    None
}
