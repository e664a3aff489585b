//! Batched fits on a GPU: launches that fit its memory, dispatches that no watchdog minds.

use super::buffers::{filled, layout_of, read};
use super::compile::Module;
use super::engine::{GpuEngine, LAUNCH_BYTES, MAX_SLOTS, POISON};
use super::fit_shader::{FitShader, fit_shader};
use super::pace::Pace;
use super::submission::dispatch;
use crate::engine::Backend;
use crate::error::{DeviceProblem, Error};
use crate::fit::{BatchedFit, BatchedOutcome, BatchedStatus, FitColumn, FitOrder, MAX_PARAMETERS, RowCode};
use crate::outcome::{Flow, Progress, Timing};
use rayon::prelude::*;
use std::time::Instant;

/// Fits of a slice: neighbours in memory.
const SLICE: usize = 64;
/// Instructions that one turn of a launch may take in all: some 50 ms of a slow GPU.
const TURN_WORK: f64 = 5e10;
/// Turns of a launch's first dispatch, whose cost nobody knows.
const FIRST_TURNS: u64 = 2;

/// `Fit` of shaders/fit.wgsl, for the most parameters.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct FitParams {
    count: u32,
    turns: u32,
    most: u32,
    epoch: u32,
    tolerance: f32,
    unused: [u32; 3],
    ends: [[f32; 4]; MAX_PARAMETERS],
}

/// A launch's buffers, in the order of their bindings.
struct FitBuffers {
    all: Vec<wgpu::Buffer>,
}

/// Sizes of a launch.
struct Shape {
    slots: usize,
    own: usize,
}

/// Own columns in slices, and where each problem's rows are.
struct Packed {
    own: Vec<f32>,
    spans: Vec<u32>,
}

impl GpuEngine {
    /// Runs fits that have been checked.
    pub(super) fn run_fit(
        &self,
        fit: &BatchedFit<'_>,
        tell: &mut dyn FnMut(Progress) -> Flow,
    ) -> Result<BatchedOutcome, Error> {
        self.run_cut(fit, u64::MAX, tell)
    }

    /// Runs fits with at most `cut` turns a dispatch, which changes no result.
    fn run_cut(
        &self,
        fit: &BatchedFit<'_>,
        cut: u64,
        tell: &mut dyn FnMut(Progress) -> Flow,
    ) -> Result<BatchedOutcome, Error> {
        let begun = Instant::now();
        let (count, p) = (fit.len(), fit.residuals.parameters.len());
        let shader = fit_shader(fit, &RowCode::new(fit.residuals, fit.roots.is_some())?);
        let layout = self.fit_layout();
        let module = self.module(&layout, "fit_rows", &shader.text)?;
        let order = FitOrder::new(fit);
        let compile = begun.elapsed().as_secs_f64();
        let mut outcome = BatchedOutcome::empty(p, count, self.device(), Timing { compile, run: 0.0 });
        if count == 0 {
            return Ok(outcome);
        }
        let begun = Instant::now();
        let rows = order.rows(fit, 0);
        let most_turns = self.most_turns(rows)?.min(cut);
        let shape = self.shape(fit, &shader, rows)?;
        let buffers = self.fit_buffers(fit, &shader, &shape)?;
        let bindings = buffers.bind(self, &layout);
        let mut pace = Pace::new(most_turns);
        let mut done = 0;
        while done < count {
            let slots = shape.slots.min(count - done);
            let epoch = self.next_epoch();
            let packed = pack(fit, &order, done, slots);
            self.upload(fit, &order, &buffers, &packed, done, slots, epoch);
            // The copies are not to be taken for work.
            self.wait(self.gpu.queue.submit([]), &mut || Flow::Continue)?;
            let mut turns = 0;
            let total = u64::from(fit.settings.max_iterations) + 1;
            let progress = Progress { done: done as f64, total: count as f64 };
            while turns < total {
                let most = if turns == 0 { FIRST_TURNS } else { u64::MAX };
                let now = pace.steps(slots).min(total - turns).min(most);
                let begun = Instant::now();
                let submission = self.dispatch_fit(fit, &module, &bindings, &buffers, slots, now, epoch);
                self.wait(submission, &mut || tell(progress))?;
                if turns == 0 {
                    // Later ones tell too little: most fits have ended by then.
                    pace.measured(slots, now, begun.elapsed());
                }
                turns += now;
            }
            self.collect(fit, &order, &buffers, done, slots, epoch, &mut outcome)?;
            done += slots;
            if tell(Progress { done: done as f64, total: count as f64 }) == Flow::Stop {
                return Err(Error::Cancelled);
            }
        }
        outcome.timing.run = begun.elapsed().as_secs_f64();
        Ok(outcome)
    }

    fn fit_layout(&self) -> wgpu::BindGroupLayout {
        layout_of(&self.gpu, "fits", false, 3, 7)
    }

    /// How many turns a dispatch may take on a device that bounds the turns of an invocation's loops.
    fn most_turns(&self, rows: usize) -> Result<u64, Error> {
        let Some(limit) = self.gpu.about.turn_limit() else { return Ok(u64::MAX) };
        let turns = limit.saturating_sub(8) / (rows as u64 + 1);
        if turns == 0 {
            let problem = format!("a fit has {rows} rows, the device runs {limit} loop turns; use the CPU engine");
            return Err(self.gpu.error(DeviceProblem::Refused(problem)));
        }
        Ok(turns)
    }

    /// How many fits a launch takes, and the words of their own columns. The longest fits come first.
    fn shape(&self, fit: &BatchedFit<'_>, shader: &FitShader, rows: usize) -> Result<Shape, Error> {
        let limits = self.gpu.about.limits;
        let own = rows * fit.inputs().filter_map(FitColumn::own).count();
        let binding = limits.binding.min(limits.buffer) / 4;
        let shared = (rows * fit.inputs().count()) as u64;
        let largest = shader.work.max(own).max(3) as u64;
        let all = (shader.work + own + fit.residuals.parameters.len() + 5) as u64;
        let by_work = TURN_WORK / (rows.max(1) as f64 * shader.cost as f64);
        let slots = (binding / largest)
            .min(LAUNCH_BYTES / (4 * all))
            .min(MAX_SLOTS)
            .min(by_work.max(SLICE as f64) as u64)
            .min(fit.chunk.unwrap_or(usize::MAX) as u64) as usize;
        // Less than a slice is padded to one.
        let slots = if slots >= SLICE { slots - slots % SLICE } else { slots.max(1) }.min(fit.len());
        let words = own * slots.next_multiple_of(SLICE);
        if words as u64 > binding.min(u64::from(u32::MAX)) || shared > binding {
            let problem = format!("{rows} rows of {SLICE} fits are beyond its largest binding; use the CPU engine");
            return Err(self.gpu.error(DeviceProblem::Refused(problem)));
        }
        Ok(Shape { slots, own: words })
    }

    fn fit_buffers(&self, fit: &BatchedFit<'_>, shader: &FitShader, shape: &Shape) -> Result<FitBuffers, Error> {
        use wgpu::BufferUsages as Usage;
        let gpu = &self.gpu;
        let scope = gpu.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let make = |label, words: usize, usage| {
            gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: 4 * words.max(1) as u64,
                usage: usage | Usage::COPY_DST,
                mapped_at_creation: false,
            })
        };
        let both = Usage::STORAGE | Usage::COPY_SRC;
        let slots = shape.slots;
        let all = vec![
            make("fit", size_of::<FitParams>() / 4, Usage::UNIFORM),
            make("points", fit.residuals.parameters.len() * slots, both),
            make("work", shader.work * slots, Usage::STORAGE),
            make("results", 3 * slots, both),
            filled(gpu, "shared columns", &shared_columns(fit)),
            make("own columns", shape.own, Usage::STORAGE),
            make("spans", slots + slots.div_ceil(SLICE), Usage::STORAGE),
        ];
        if let Some(error) = pollster::block_on(scope.pop()) {
            return Err(gpu.error(DeviceProblem::Refused(error.to_string())));
        }
        gpu.check()?;
        Ok(FitBuffers { all })
    }

    #[expect(clippy::too_many_arguments, reason = "the one place where a launch's parts meet")]
    fn upload(
        &self,
        fit: &BatchedFit<'_>,
        order: &FitOrder,
        buffers: &FitBuffers,
        packed: &Packed,
        done: usize,
        slots: usize,
        epoch: u32,
    ) {
        let queue = &self.gpu.queue;
        let mut points = Vec::with_capacity(fit.residuals.parameters.len() * slots);
        for i in 0..fit.residuals.parameters.len() {
            points.extend((done..done + slots).map(|place| fit.start(i, order.at(fit, place).0)));
        }
        let mut results = vec![epoch << 8; slots];
        results.resize(2 * slots, 0);
        results.resize(3 * slots, POISON);
        queue.write_buffer(&buffers.all[1], 0, bytemuck::cast_slice(&points));
        queue.write_buffer(&buffers.all[3], 0, bytemuck::cast_slice(&results));
        if !packed.own.is_empty() {
            queue.write_buffer(&buffers.all[5], 0, bytemuck::cast_slice(&packed.own));
        }
        queue.write_buffer(&buffers.all[6], 0, bytemuck::cast_slice(&packed.spans));
    }

    #[expect(clippy::too_many_arguments, reason = "the one place where a dispatch's parts meet")]
    fn dispatch_fit(
        &self,
        fit: &BatchedFit<'_>,
        module: &Module,
        bindings: &wgpu::BindGroup,
        buffers: &FitBuffers,
        slots: usize,
        turns: u64,
        epoch: u32,
    ) -> wgpu::SubmissionIndex {
        let gpu = &self.gpu;
        let mut ends = [[0f32; 4]; MAX_PARAMETERS];
        for (i, to) in ends.iter_mut().enumerate().take(fit.residuals.parameters.len()) {
            let [lo, hi] = fit.ends(i);
            *to = [lo, hi, 0.0, 0.0];
        }
        let params = FitParams {
            count: slots as u32,
            turns: turns as u32,
            most: fit.settings.max_iterations,
            epoch,
            tolerance: fit.settings.tolerance,
            unused: [0; 3],
            ends,
        };
        gpu.queue.write_buffer(&buffers.all[0], 0, bytemuck::bytes_of(&params));
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        dispatch(gpu, &mut encoder.begin_compute_pass(&Default::default()), module, bindings, &[], params.count);
        gpu.queue.submit([encoder.finish()])
    }

    /// Reads a launch back, and checks that the kernel wrote it.
    #[expect(clippy::too_many_arguments, reason = "the one place where a launch's parts meet")]
    fn collect(
        &self,
        fit: &BatchedFit<'_>,
        order: &FitOrder,
        buffers: &FitBuffers,
        done: usize,
        slots: usize,
        epoch: u32,
        outcome: &mut BatchedOutcome,
    ) -> Result<(), Error> {
        let (p, count) = (fit.residuals.parameters.len(), fit.len());
        let ranges = [(&buffers.all[3], 0, 3 * slots as u64), (&buffers.all[1], 0, (p * slots) as u64)];
        let back = read(&self.gpu, &ranges, &mut |s| self.wait(s, &mut || Flow::Continue))?;
        let unwritten = || self.gpu.error(DeviceProblem::Unwritten);
        let (codes, rest) = back[0].split_at(slots);
        let (taken, rss) = rest.split_at(slots);
        for slot in 0..slots {
            let (k, _) = order.at(fit, done + slot);
            let code = (codes[slot] >> 8 == epoch).then(|| BatchedStatus::from_code(codes[slot] & 0xff)).flatten();
            let status = code.ok_or_else(unwritten)?;
            let full = taken[slot] > fit.settings.max_iterations;
            if rss[slot] == POISON || taken[slot] == 0 || (status == BatchedStatus::MaxIterations && !full) {
                return Err(unwritten());
            }
            let bad = status == BatchedStatus::Nonfinite;
            outcome.rss[k] = if bad { f32::NAN } else { f32::from_bits(rss[slot]) };
            outcome.iterations[k] = taken[slot] - 1;
            outcome.status[k] = status;
            for i in 0..p {
                outcome.parameters[i * count + k] = f32::from_bits(back[1][i * slots + slot]);
            }
        }
        Ok(())
    }
}

impl FitBuffers {
    fn bind(&self, engine: &GpuEngine, layout: &wgpu::BindGroupLayout) -> wgpu::BindGroup {
        let all = self.all.iter().zip(0..);
        let entries: Vec<wgpu::BindGroupEntry<'_>> =
            all.map(|(b, binding)| wgpu::BindGroupEntry { binding, resource: b.as_entire_binding() }).collect();
        engine.gpu.device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &entries })
    }
}

/// Columns that all fits share, row by row.
fn shared_columns(fit: &BatchedFit<'_>) -> Vec<f32> {
    let shared = || fit.inputs().filter_map(FitColumn::shared);
    let rows = shared().map(<[f32]>::len).max().unwrap_or(0);
    (0..rows).flat_map(|r| shared().map(move |values| values[r])).collect()
}

/// Lays the own columns of these fits out in slices.
fn pack(fit: &BatchedFit<'_>, order: &FitOrder, done: usize, slots: usize) -> Packed {
    let columns: Vec<&[f32]> = fit.inputs().filter_map(FitColumn::own).collect();
    let mut spans: Vec<u32> = (0..slots).map(|slot| order.rows(fit, done + slot) as u32).collect();
    let mut words = 0;
    // The first fit of a slice is its longest.
    let sizes: Vec<usize> = spans.iter().step_by(SLICE).map(|&rows| rows as usize * columns.len() * SLICE).collect();
    for size in &sizes {
        spans.push(words as u32);
        words += size;
    }
    let mut own = vec![0f32; words];
    let mut rest = own.as_mut_slice();
    let mut slices = Vec::with_capacity(sizes.len());
    for &size in &sizes {
        let (slice, behind) = rest.split_at_mut(size);
        slices.push(slice);
        rest = behind;
    }
    slices.into_par_iter().enumerate().for_each(|(index, slice)| {
        for lane in 0..SLICE.min(slots - index * SLICE) {
            let place = done + index * SLICE + lane;
            let (rows, (_, first)) = (order.rows(fit, place), order.at(fit, place));
            for (c, values) in columns.iter().enumerate() {
                for (r, value) in values[first..first + rows].iter().enumerate() {
                    slice[(r * columns.len() + c) * SLICE + lane] = *value;
                }
            }
        }
    });
    Packed { own, spans }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::{FitRows, Residuals};

    /// A decay of 30 rows from 100 starts, under `task`, where there is a GPU.
    fn with_decays(task: impl Fn(&GpuEngine, &BatchedFit<'_>)) {
        let engine = match (std::env::var("CATCHMENT_GPU").as_deref(), GpuEngine::best(true)) {
            (Ok("off"), _) => return,
            (_, Ok(engine)) => engine,
            (Ok("require"), Err(error)) => panic!("CATCHMENT_GPU=require: {error}"),
            (_, Err(_)) => return println!("no GPU: left out"),
        };
        let names = |list: [&str; 2]| list.map(str::to_owned);
        let model = Residuals::parse("a * exp(-c * t)", "y", &names(["a", "c"]), &names(["t", "y"])).expect("a model");
        let t: Vec<f32> = (0..30).map(|k| 0.1 * k as f32).collect();
        let y: Vec<f32> = t.iter().map(|t| 2.0 * (-1.3 * t).exp() + 0.1 * (40.0 * t).sin()).collect();
        let starts: Vec<f32> = (0..200).map(|k| 0.1 + 0.03 * (k % 100) as f32).collect();
        let columns = vec![FitColumn::Shared(&t), FitColumn::Shared(&y)];
        task(&engine, &BatchedFit { columns, ..BatchedFit::new(&model, FitRows::Equal(30), &starts) });
    }

    #[test]
    fn a_cut_between_dispatches_changes_no_bit() {
        with_decays(|engine, fit| {
            let bits = |cut: u64| {
                let outcome = engine.run_cut(fit, cut, &mut |_| Flow::Continue).expect("runs");
                let words: Vec<u32> = outcome.parameters.iter().chain(&outcome.rss).map(|v| v.to_bits()).collect();
                (words, outcome.iterations, outcome.status)
            };
            let whole = bits(u64::MAX);
            assert!(whole.1.iter().any(|&n| n > 5), "long enough to be cut");
            assert!(bits(1) == whole && bits(3) == whole);
        });
    }

    #[test]
    fn results_that_no_kernel_wrote_are_told() {
        with_decays(|engine, fit| {
            let shader = fit_shader(fit, &RowCode::new(fit.residuals, false).expect("lowers"));
            let order = FitOrder::new(fit);
            let buffers = engine.fit_buffers(fit, &shader, &Shape { slots: 100, own: 0 }).expect("buffers");
            engine.upload(fit, &order, &buffers, &pack(fit, &order, 0, 100), 0, 100, 7);
            let mut outcome = engine.run_fit(fit, &mut |_| Flow::Continue).expect("runs");
            let told = engine.collect(fit, &order, &buffers, 0, 100, 7, &mut outcome);
            assert!(matches!(told, Err(Error::Device { problem: DeviceProblem::Unwritten, .. })));
        });
    }
}
