//! A kernel in a form that runs, machine code or a tape, behind one interface: tiles of restarts and many steps at a call.

use super::lane::{Lane, Width, fuses};
#[cfg(target_arch = "x86_64")]
use super::machine::{MachineCode, Worker};
use super::run::{Block, Given, Output, TableRows, run};
use super::tape::{Tape, compile};
use super::tile::{Ring, Task, TileLayout, Work};
use crate::graph::DIVERGED;
use crate::kernel::{Kernel, contract};

/// A gradient beyond this is not finite: [`Unary::Magnitude`](crate::graph::Unary) reads infinities as the largest number.
pub(super) const HUGE: f64 = 3.4e38;

/// A compiled kernel.
pub(crate) trait Program<F>: Send + Sync {
    /// Restarts of a tile.
    fn lanes(&self) -> usize;
    /// Tiles that go together: a call takes a multiple of them.
    fn together(&self) -> usize;
    /// What a tile holds.
    fn layout(&self) -> &TileLayout;
    /// A thread's own memory to run it with.
    fn runner<'a>(&'a self, key: [u32; 2], data: TableRows<'a, F>) -> Box<dyn Runner<F> + 'a>;
    /// What it is called in results: `machine code` or `tape`.
    fn form(&self) -> &'static str;
}

/// Runs a program.
pub(crate) trait Runner<F> {
    /// Runs steps `work.step` to `work.steps`; `look` is told of every tile in which a restart may have to stop, before the
    /// step's result counts.
    fn run(&mut self, work: Work<'_, F>, look: &mut dyn FnMut(Ring<'_, F>));
}

/// Machine code where this machine and the kernel allow it, else a tape.
pub(super) fn program<F: Lane>(
    mut kernel: Kernel,
    layout: TileLayout,
    width: Width,
    task: Task,
) -> Box<dyn Program<F>> {
    if fuses() {
        contract(&mut kernel);
    }
    let kernel = &kernel;
    F::machine(kernel, &layout, width, task).unwrap_or_else(|| {
        let tape = compile::<F>(kernel, layout.states, layout.drawn);
        let lanes = super::engine::lanes_for::<F>(tape.rows);
        let layout = TileLayout { puts_down: false, ..layout };
        Box::new(TapeProgram { tape, layout, lanes, width, task })
    })
}

/// For [`Lane::machine`]: the machine code of a kernel in `f32`.
#[cfg(target_arch = "x86_64")]
pub(super) fn machine(kernel: &Kernel, layout: &TileLayout, width: Width, task: Task) -> Option<Box<dyn Program<f32>>> {
    MachineCode::new(kernel, layout.clone(), width, task).map(|code| Box::new(code) as Box<dyn Program<f32>>)
}

/// Only the tape runs on other processors.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn machine(_: &Kernel, _: &TileLayout, _: Width, _: Task) -> Option<Box<dyn Program<f32>>> {
    None
}

#[cfg(target_arch = "x86_64")]
impl Program<f32> for MachineCode {
    fn lanes(&self) -> usize {
        MachineCode::lanes(self)
    }
    fn together(&self) -> usize {
        MachineCode::together(self)
    }
    fn layout(&self) -> &TileLayout {
        MachineCode::layout(self)
    }
    fn runner<'a>(&'a self, key: [u32; 2], data: TableRows<'a, f32>) -> Box<dyn Runner<f32> + 'a> {
        Box::new(Worker::new(self, key, data.values))
    }
    fn form(&self) -> &'static str {
        "machine code"
    }
}

#[cfg(target_arch = "x86_64")]
impl Runner<f32> for Worker<'_> {
    fn run(&mut self, work: Work<'_, f32>, look: &mut dyn FnMut(Ring<'_, f32>)) {
        Worker::run(self, work, look);
    }
}

/// A tape and the tiles it runs over.
struct TapeProgram<F> {
    tape: Tape<F>,
    layout: TileLayout,
    lanes: usize,
    width: Width,
    task: Task,
}

impl<F: Lane> Program<F> for TapeProgram<F> {
    fn lanes(&self) -> usize {
        self.lanes
    }
    fn together(&self) -> usize {
        1
    }
    fn layout(&self) -> &TileLayout {
        &self.layout
    }
    fn runner<'a>(&'a self, key: [u32; 2], data: TableRows<'a, F>) -> Box<dyn Runner<F> + 'a> {
        let block = Block::new(self.tape.rows, self.tape.vars, self.lanes, key);
        Box::new(TapeRunner { program: self, block, data, alarm: [const { Vec::new() }; 3] })
    }
    fn form(&self) -> &'static str {
        "tape"
    }
}

struct TapeRunner<'a, F> {
    program: &'a TapeProgram<F>,
    block: Block<F>,
    data: TableRows<'a, F>,
    /// What rang: the largest magnitude in the gradient, the value, the squared norm.
    alarm: [Vec<F>; 3],
}

impl<F: Lane> TapeRunner<'_, F> {
    /// Copies between a tile and the tape's slab: parameters, states, drawn hyperparameters.
    fn exchange(&mut self, tile: &mut [F], into_block: bool) {
        let TapeProgram { tape, layout, lanes, .. } = self.program;
        let dim = layout.dim;
        let mut part = |tile_row: usize, slab_row: usize, rows: usize| {
            let tile = &mut tile[tile_row * lanes..][..rows * lanes];
            let slab = &mut self.block.slab[slab_row * lanes..][..rows * lanes];
            if into_block { slab.copy_from_slice(tile) } else { tile.copy_from_slice(slab) }
        };
        part(0, tape.x[0], dim);
        part(dim, tape.x[1], dim);
        for (k, &state) in tape.states.iter().enumerate() {
            part(layout.state(k), state, dim);
        }
        part(layout.drawn(), tape.drawn, layout.drawn);
    }

    /// Running lanes that may have to stop; where there are any, all that rang is in `alarm`.
    fn rings(&mut self, tile: &[F], host: &[F]) -> [u64; 4] {
        let TapeProgram { tape, layout, lanes, task, .. } = self.program;
        let mut rung = [0; 4];
        let Task::Descend { value, gradient_squared, target, change } = *task else { return rung };
        let output = |k: usize, wanted: bool| wanted.then(|| self.block.output(tape, tape.scalars[k], host));
        let (worst_x, worst_gradient) = (output(0, true), output(1, true));
        let (now, norm) = (output(2, value), output(2 + usize::from(value), gradient_squared.is_some()));
        let above = |o: &Option<Output<'_, F>>, limit: f64| o.as_ref().is_some_and(|o| o.any_above(F::of(limit)));
        let blown = above(&worst_x, DIVERGED) || above(&worst_gradient, HUGE);
        if !blown && now.is_none() && norm.is_none() {
            return rung;
        }
        let last = layout.row(layout.last(), *lanes);
        let at = |o: &Option<Output<'_, F>>, lane: usize| o.as_ref().map(|o| o.at(lane).to());
        for lane in layout.running(tile, *lanes) {
            let (now, before) = (at(&now, lane), tile[last.start + lane].to());
            let far = |o: &Option<Output<'_, F>>, limit: f64| at(o, lane).is_some_and(|v| v > F::of(limit).to());
            let changed = |now: f64, c: f64| (now - before).abs() <= c * now.abs().max(1.0);
            let rings = blown && (far(&worst_x, DIVERGED) || far(&worst_gradient, HUGE))
                || matches!((at(&norm, lane), gradient_squared), (Some(n), Some(limit)) if n <= F::of(limit).to())
                || matches!((now, target), (Some(now), Some(goal)) if now <= F::of(goal).to())
                || matches!((now, change), (Some(now), Some(c)) if changed(now, c));
            rung[lane / 64] |= u64::from(rings) << (lane % 64);
        }
        if rung != [0; 4] {
            let of = |o: &Option<Output<'_, F>>, lane: usize| o.as_ref().map_or(F::default(), |o| o.at(lane));
            let outputs = [&worst_gradient, &now, &norm];
            let alarm = outputs.map(|o| (0..*lanes).map(|lane| of(o, lane)).collect());
            self.alarm = alarm;
        }
        rung
    }

    /// An evaluation's outputs, and the value that a step saw, go to the tile.
    fn give_out(&mut self, tile: &mut [F], host: &[F]) {
        let TapeProgram { tape, layout, lanes, task, .. } = self.program;
        let mut scalar = |k: usize, row: usize| {
            let output = self.block.output(tape, tape.scalars[k], host);
            for (lane, to) in tile[layout.row(row, *lanes)].iter_mut().enumerate() {
                *to = output.at(lane);
            }
        };
        match task {
            Task::Descend { value: true, .. } => scalar(2, layout.last()),
            Task::Descend { .. } => {}
            Task::Evaluate => {
                for k in 0..tape.scalars.len().min(2) {
                    scalar(k, layout.outputs() + k);
                }
                if layout.gradient {
                    let from = &self.block.slab[tape.gradient * lanes..][..layout.dim * lanes];
                    tile[layout.gradient() * lanes..][..layout.dim * lanes].copy_from_slice(from);
                }
            }
        }
    }
}

impl<F: Lane> Runner<F> for TapeRunner<'_, F> {
    fn run(&mut self, work: Work<'_, F>, look: &mut dyn FnMut(Ring<'_, F>)) {
        let TapeProgram { tape, layout, lanes, width, .. } = self.program;
        for (number, tile) in F::numbers_mut(work.tiles).chunks_exact_mut(layout.len() * lanes).enumerate() {
            self.exchange(tile, true);
            self.block.flip = work.flip;
            self.block.renumber((0..*lanes).map(|lane| layout.id(tile, *lanes, lane)));
            for step in work.step..work.steps {
                let host = &work.host[(step - work.step) as usize * work.stride..];
                run(*width, tape, &mut self.block, Given { host, data: self.data, step: step as u32 + 1 });
                let rung = self.rings(tile, host);
                if rung != [0; 4] {
                    self.exchange(tile, false);
                    let flip = self.block.flip;
                    let [gradient, value, norm] = &self.alarm;
                    let (before, after) = (flip * layout.dim, (1 - flip) * layout.dim);
                    look(Ring { tile: number, step, rows: tile, lanes: rung, before, after, gradient, value, norm });
                    self.exchange(tile, true);
                } else {
                    self.give_out(tile, host);
                }
                self.block.flip = 1 - self.block.flip;
            }
            self.exchange(tile, false);
        }
    }
}
