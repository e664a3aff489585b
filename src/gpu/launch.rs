//! Cuts a plan into launches that fit the device, and launches into dispatches that no watchdog minds.

use super::buffers::{Buffers, Params, Settles, Sizes, filled, mapped};
use super::compile::Compiled;
use super::crowd::Crowd;
use super::engine::{GpuEngine, LAUNCH_BYTES, MAX_SLOTS};
use super::harvest::results;
use super::pace::Pace;
use super::shader::{REGIONS, START_REGION, TRACE_REGION, compaction};
use super::submission::{Range, Submission};
use crate::engine::Receive;
use crate::error::Error;
use crate::host::HostRun;
use crate::outcome::{Event, Flow, Progress};
use crate::plan::Plan;
use crate::random::Starts;
use std::time::{Duration, Instant};

/// Words of host scalars that a dispatch may take along.
const HOST_WORDS: u64 = 1 << 20;

/// Rows of the surface's table that all slots of a launch visit in a step.
const ROW_VISITS: u64 = 1 << 32;

/// Words of `queue` before its lists.
const COUNTERS: u64 = 3;

/// Configurations of one program that stand side by side, and their launches.
pub(super) struct Group {
    pub(super) first: usize,
    pub(super) count: usize,
}

impl Group {
    /// The configurations' numbers.
    pub(super) fn numbers(&self) -> Vec<usize> {
        (self.first..self.first + self.count).collect()
    }
}

/// What `queue` of common.wgsl has counted in a launch.
#[derive(Clone, Copy, Debug, Default)]
struct Counters {
    /// Restarts that have ended.
    ended: u32,
    /// Restarts that have ever been left for the module of the rest.
    beyond: u32,
}

/// Which restarts a launch runs.
pub(super) struct Launch {
    /// Number of the group's first configuration that it runs, and of its first restart among the configuration's.
    configuration: usize,
    /// Restarts that stand before the first slot in that configuration, beyond `shift`.
    offset: u32,
    /// Added to every restart's number: the place in a configuration too large for 32 bits.
    shift: u64,
    /// Restarts of a configuration, as the shader counts them.
    restarts: u32,
    pub(super) slots: u64,
    pub(super) epoch: u32,
}

/// Slots of a launch that belong to one configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) configuration: usize,
    /// The first restart, among the configuration's own.
    pub(super) restart: u64,
    /// The first slot.
    pub(super) slot: u64,
    pub(super) count: u64,
}

impl Piece {
    /// The same in pieces of at most so many slots.
    pub(super) fn cut(self, most: u64) -> impl Iterator<Item = Piece> {
        (0..self.count).step_by(most as usize).map(move |begin| {
            let (restart, slot) = (self.restart + begin, self.slot + begin);
            Piece { restart, slot, count: most.min(self.count - begin), ..self }
        })
    }
}

impl Launch {
    fn pieces(&self) -> Vec<Piece> {
        let mut out = Vec::new();
        let mut slot = 0;
        while slot < self.slots {
            let place = u64::from(self.offset) + slot;
            let (configuration, restart) = (place / u64::from(self.restarts), place % u64::from(self.restarts));
            let count = (u64::from(self.restarts) - restart).min(self.slots - slot);
            let configuration = self.configuration + configuration as usize;
            out.push(Piece { configuration, restart: self.shift + restart, slot, count });
            slot += count;
        }
        out
    }
}

impl GpuEngine {
    pub(super) fn run_group(
        &self,
        plan: &Plan,
        compiled: &Compiled<'_>,
        group: &Group,
        progress: &mut Progress,
        receive: &mut Receive<'_>,
    ) -> Result<(), Error> {
        let restarts = plan.restarts();
        let words = self.slot_words(plan, compiled);
        let total = group.count as u64 * restarts;
        let most = self.slots(plan, &words, total);
        let scalars = compiled.program.step.host.len() as u64;
        let large = restarts >= 1 << 31;
        // A launch that holds many configurations takes rows of host scalars for each.
        let spans = if large { 1 } else { (most / restarts + 2).min(group.count as u64) };
        let rows = (HOST_WORDS / (spans * scalars).max(1)).clamp(1, plan.steps());
        let sizes = Sizes {
            xs: words.xs * most,
            states: words.states * most,
            status: words.status * most,
            values: words.values * most,
            extra: words.extra * most,
            queue: words.queue * most + COUNTERS,
            host: scalars * spans * rows,
        };
        let buffers = self.buffers(sizes)?;
        // The first dispatch of many rows is no longer than a watchdog allows.
        let visits = plan.surface().table().map_or(1, |t| u64::from(t.rows)).saturating_mul(most);
        let mut pace = Pace::new(compiled.most_steps).beginning((ROW_VISITS / visits).clamp(1, 8));
        pace = pace.knowing(compiled.descend.learned.get());
        let mut done = 0;
        while done < total {
            let (configuration, restart) = (group.first + (done / restarts) as usize, done % restarts);
            let left = if large { restarts - restart } else { total - done };
            let launch = Launch {
                configuration,
                offset: if large { 0 } else { restart as u32 },
                shift: if large { restart } else { 0 },
                restarts: if large { u32::MAX } else { restarts as u32 },
                slots: most.min(left),
                epoch: self.next_epoch(),
            };
            self.run_launch(plan, compiled, group, &buffers, &launch, rows, &mut pace, progress, receive)?;
            done += launch.slots;
        }
        compiled.descend.learned.set(pace.learned());
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the one place where a launch's parts meet")]
    fn run_launch(
        &self,
        plan: &Plan,
        compiled: &Compiled<'_>,
        group: &Group,
        buffers: &Buffers,
        launch: &Launch,
        rows: u64,
        pace: &mut Pace,
        progress: &mut Progress,
        receive: &mut Receive<'_>,
    ) -> Result<(), Error> {
        let (gpu, step) = (&self.gpu, &compiled.program.step);
        let dim = plan.surface().dim() as usize;
        let slots = launch.slots as usize;
        let packing = compiled.shader.packing;
        let pieces = launch.pieces();
        let mut hosts: Vec<HostRun<'_>> =
            pieces.iter().map(|p| step.host.run(&plan.configurations()[p.configuration].hyper, plan.steps())).collect();
        let steady = hosts.iter().all(HostRun::is_steady);

        // Starts and initial states.
        let mut table = Vec::new();
        let sampled = *plan.starts() == Starts::Uniform && (0..dim).all(|i| plan.sampler().affine(i).is_some());
        for part in 0..3 {
            table.extend((0..dim).map(|i| plan.sampler().affine(i).map_or(0.0, |a| a[part])));
        }
        for host in &mut hosts {
            table.extend(host.initial_states().iter().map(|&v| v as f32));
        }
        let begin_table = filled(gpu, "begin", &table);
        if !sampled {
            let mut xs = vec![0f32; packing.padded(dim as u32) as usize * slots];
            for &Piece { restart, slot, count, .. } in &pieces {
                let mut part = vec![0f32; dim * count as usize];
                plan.sampler().fill(plan.first() + restart, count as usize, &mut part);
                for i in 0..dim {
                    for (r, &x) in part[i * count as usize..][..count as usize].iter().enumerate() {
                        xs[packing.element(i, slot as usize + r, slots)] = x;
                    }
                }
            }
            gpu.queue.write_buffer(&buffers.xs, 0, bytemuck::cast_slice(&xs));
        }
        if compiled.program.chain.hyper.iter().any(|h| h.drawn) {
            self.upload_drawn(plan, buffers, &pieces, slots);
        }
        gpu.queue.write_buffer(&buffers.queue, 0, bytemuck::cast_slice(&[0u32; COUNTERS as usize]));

        let begin = buffers.bind(gpu, &compiled.layout, &begin_table);
        let bindings = buffers.bind(gpu, &compiled.layout, &compiled.tables);
        let base = *progress;
        let slot_count = launch.slots as f64;
        let mut params = self.params(plan, launch);
        params.sampled = u32::from(sampled);
        let mut ahead = Submission::new(gpu, buffers);
        ahead.add(&compiled.begin, &begin, &params, params.count);
        let evaluate = |ahead: &mut Submission<'_>, region: u32, settles: Settles| {
            let params = Params { region, settles: settles as u32, ..params };
            ahead.add(&compiled.evaluate, &bindings, &params, compiled.evaluator.invocations(params.count));
        };
        if plan.points() {
            evaluate(&mut ahead, START_REGION, Settles::Nobody);
        }
        let wanted = &plan.trace().steps;
        let mut traces = Vec::new();
        if wanted.contains(&0) {
            evaluate(&mut ahead, TRACE_REGION, Settles::Nobody);
            ahead.submit(&[]);
            self.record(plan, packing, buffers, &pieces, slots, 0, &mut traces)?;
        }
        let results = results(plan, packing, buffers, launch);
        let room = buffers.staging.room(gpu, &results);
        let mut window: Vec<f32> = Vec::new();
        let stopping = plan.stopping();
        let may_stop = stopping.gradient.is_some() || stopping.target.is_some() || stopping.change.is_some();
        let mut crowd = Crowd::new(launch.slots, may_stop);
        let mut before = Counters::default();
        let (mut taken, mut settled) = (0u64, false);
        // How many restarts run that the first module has left, and how long their dispatches are.
        let (mut beyond, mut rest_pace) = (0u64, None);
        while taken < plan.steps() && crowd.running() > 0 {
            let next_trace = wanted.iter().copied().find(|&t| t > taken).unwrap_or(u64::MAX);
            let most = if steady { u64::MAX } else { rows };
            let listed = crowd.listed() as usize;
            let count = pace.steps(listed).min(crowd.steps(pace.least(listed)));
            let count = count.min(plan.steps() - taken).min(next_trace - taken).min(most);
            if !(steady && taken > 0) {
                window.clear();
                let mut scalars = Vec::new();
                for host in &mut hosts {
                    host.extend(if steady { 1 } else { count }, &mut scalars);
                }
                window.extend(scalars.iter().map(|&v| v as f32));
                if !window.is_empty() {
                    gpu.queue.write_buffer(&buffers.host, 0, bytemuck::cast_slice(&window));
                }
            }
            let params = Params {
                steps: count as u32,
                step: taken as u32,
                rows: if steady { 1 } else { count as u32 },
                advance: u32::from(!steady),
                listed: crowd.listed() as u32,
                list: crowd.list(launch.slots) as u32,
                ..params
            };
            let now = Progress { done: base.done + slot_count * taken as f64, ..base };
            let mut tell = || receive(&mut [Event::Progress(now).into()]);
            if beyond < crowd.running() {
                let begun = Instant::now();
                ahead.add(&compiled.descend, &bindings, &params, compiled.shader.invocations(params.listed));
                // The last steps' results may come with them. Where a restart turns out to be left, they come again.
                let last = taken + count == plan.steps() && beyond == 0 && !wanted.contains(&plan.steps());
                let copies: &[(&[Range<'_>], &wgpu::Buffer)] = if last { &[(&results, &room)] } else { &[] };
                if last {
                    evaluate(&mut ahead, 0, Settles::AllButBeyond);
                }
                let counters = self.counted(&mut ahead, buffers, copies, &mut tell)?;
                pace.measured(listed, count, self.elapsed(begun, listed, count));
                #[cfg(test)]
                self.dispatched.set(self.dispatched.get() + crowd.listed() * count);
                beyond += u64::from(counters.beyond - before.beyond);
                before = counters;
                settled = last && beyond == 0;
            }
            if beyond > 0 {
                // Those that were left go on to the end of the same steps, in dispatches of their own length.
                let rest = self.rest(plan, compiled, group)?;
                let bindings = buffers.bind(gpu, &compiled.layout, &rest.tables);
                let pace = rest_pace.get_or_insert_with(|| pace.afresh(rest.most_steps));
                let mut done = 0;
                while done < count {
                    let more = pace.steps(listed).min(count - done);
                    done += more;
                    let begun = Instant::now();
                    let params = Params { steps: done as u32, ..params };
                    ahead.add(&rest.descend, &bindings, &params, rest.shader.invocations(params.listed));
                    let counters = self.counted(&mut ahead, buffers, &[], &mut tell)?;
                    pace.measured(listed, more, self.elapsed(begun, listed, more));
                    beyond = beyond.saturating_sub(u64::from(counters.ended - before.ended));
                    before = counters;
                }
            }
            taken += count;
            if crowd.left(launch.slots.saturating_sub(u64::from(before.ended)), count) && taken < plan.steps() {
                // The same list positions and the dispatch's own parameters.
                let compact = self.module(&compiled.layout, "compact", &compaction())?;
                gpu.queue.write_buffer(&buffers.queue, 4, bytemuck::bytes_of(&0u32));
                ahead.add(&compact, &bindings, &params, params.listed);
                crowd.compacted();
            }
            let now = Progress { done: base.done + slot_count * taken as f64, ..base };
            if receive(&mut [Event::Progress(now).into()]) == Flow::Stop {
                return Err(Error::Cancelled);
            }
            if wanted.contains(&taken) {
                evaluate(&mut ahead, TRACE_REGION, Settles::Nobody);
                ahead.submit(&[]);
                self.record(plan, packing, buffers, &pieces, slots, taken, &mut traces)?;
            }
        }
        if !settled {
            evaluate(&mut ahead, 0, Settles::All);
            let submission = ahead.submit(&[(&results, &room)]);
            self.wait(submission, &mut || Flow::Continue)?;
        }
        progress.done = base.done + slot_count * plan.steps() as f64;
        self.give_out(plan, packing, &results, &room, launch, &pieces, traces, receive)
    }

    /// How long a dispatch of so many restarts and steps took that began then.
    fn elapsed(&self, begun: Instant, slots: usize, steps: u64) -> Duration {
        self.pretended.map_or_else(|| begun.elapsed(), |cost| cost.mul_f64(slots as f64 * steps as f64))
    }

    /// Submits what there is, with copies for the host behind it, and tells what has been counted.
    fn counted(
        &self,
        ahead: &mut Submission<'_>,
        buffers: &Buffers,
        copies: &[(&[Range<'_>], &wgpu::Buffer)],
        tell: &mut dyn FnMut() -> Flow,
    ) -> Result<Counters, Error> {
        let counters: &[Range<'_>] = &[(&buffers.queue, 0, COUNTERS)];
        let mut all = vec![(counters, &buffers.counters)];
        all.extend_from_slice(copies);
        let submission = ahead.submit(&all);
        self.wait(submission, tell)?;
        mapped(&self.gpu, &buffers.counters, |words| match words {
            &[ended, _, beyond, ..] => Counters { ended, beyond },
            _ => Counters::default(),
        })
    }

    fn upload_drawn(&self, plan: &Plan, buffers: &Buffers, pieces: &[Piece], slots: usize) {
        let mut all = vec![0f32; plan.configurations()[pieces[0].configuration].hyper.len() * slots];
        let mut column = Vec::new();
        for &Piece { configuration, restart, slot, count } in pieces {
            column.resize(count as usize, f64::NAN);
            for k in 0..plan.configurations()[configuration].hyper.len() {
                if plan.drawn_column(configuration, k, plan.first() + restart, &mut column) {
                    let to = &mut all[k * slots + slot as usize..][..count as usize];
                    to.iter_mut().zip(&column).for_each(|(to, &value)| *to = value as f32);
                }
            }
        }
        let place = 4 * u64::from(REGIONS) * slots as u64;
        self.gpu.queue.write_buffer(&buffers.values, place, bytemuck::cast_slice(&all));
    }

    /// Words of a slot in every buffer.
    fn slot_words(&self, plan: &Plan, compiled: &Compiled<'_>) -> Sizes {
        let dim = u64::from(plan.surface().dim());
        let padded = u64::from(compiled.shader.packing.padded(plan.surface().dim()));
        let drawn = compiled.program.chain.hyper.iter().any(|h| h.drawn);
        Sizes {
            xs: if compiled.shader.double { 2 * dim } else { padded },
            states: compiled.program.step.states as u64 * padded,
            status: 2,
            values: u64::from(REGIONS) + if drawn { compiled.program.chain.hyper.len() as u64 } else { 0 },
            extra: u64::from(compiled.shader.extra_rows.max(compiled.evaluator.extra_rows)),
            // Two lists; the counters before them are few.
            queue: 2,
            host: 0,
        }
    }

    /// How many slots a launch takes.
    fn slots(&self, plan: &Plan, words: &Sizes, wanted: u64) -> u64 {
        let limits = self.gpu.about.limits;
        let largest = words.xs.max(words.states).max(words.values).max(words.extra).max(words.queue + COUNTERS);
        let all = words.xs + words.states + words.status + words.values + words.extra + words.queue;
        let by_binding = limits.binding.min(limits.buffer) / (4 * largest);
        let by_total = LAUNCH_BYTES / (4 * all);
        let chunk = plan.chunk().unwrap_or(u64::MAX);
        // A step over all rows of all slots must end before a watchdog does.
        let by_rows = ROW_VISITS / plan.surface().table().map_or(1, |t| u64::from(t.rows));
        wanted.min(chunk).min(by_rows.max(64)).min(MAX_SLOTS).min(by_binding).min(by_total).max(1)
    }

    fn params(&self, plan: &Plan, launch: &Launch) -> Params {
        let seed = plan.seed();
        let first = plan.first() + launch.shift;
        let stopping = plan.stopping();
        let test = |on: bool, bit: u32| if on { bit } else { 0 };
        Params {
            count: launch.slots as u32,
            restarts: launch.restarts,
            offset: launch.offset,
            first_low: first as u32,
            first_high: (first >> 32) as u32,
            seed_low: seed as u32,
            seed_high: (seed >> 32) as u32,
            epoch: launch.epoch,
            tests: test(stopping.gradient.is_some(), 1)
                | test(stopping.target.is_some(), 2)
                | test(stopping.change.is_some(), 4),
            gradient_squared: stopping.gradient.map_or(0.0, |g| (g * g) as f32),
            goal: stopping.target.unwrap_or_default() as f32,
            change: stopping.change.unwrap_or_default() as f32,
            rows: 1,
            ..Params::default()
        }
    }
}

/// Neighbouring configurations of one program.
pub(super) fn groups(plan: &Plan) -> Vec<Group> {
    let program = |number: usize| plan.programs().iter().position(|p| p.configurations.contains(&number));
    let mut out: Vec<Group> = Vec::new();
    for number in 0..plan.configurations().len() {
        match out.last_mut() {
            Some(group) if program(group.first) == program(number) => group.count += 1,
            _ => out.push(Group { first: number, count: 1 }),
        }
    }
    out
}
