//! Machine code: the kernel printed for this processor, where it is an x86-64 with AVX2 or AVX-512.
//!
//! A *tile* is a vector of restarts with everything that is theirs; the code runs many steps over many tiles in one call,
//! with intermediate values in registers. It has the bits of the tape: the same instructions in the same tree. The sums of
//! squares of its alarms are no part of that: they only say when to look closer.

mod arrange;
mod code;
mod emit;
mod encode;
mod frame;
mod implied;
mod interleave;
mod lower;
mod nest;
mod outside;
mod registers;
#[cfg(test)]
mod tests;
mod twins;
mod uses;
mod watch;

use super::lane::Width;
use super::tile::{Line, Ring, Task, TileLayout, Work};
use crate::kernel::Kernel;
use code::{Definition, Op, Value};
use emit::{AFTER, BEFORE, DATA, Emitter, FRAME, HOST, SCRATCH, TILE};
use encode::{Condition, Form, Gpr, Memory, Predicate, Source};
use frame::Frame;
use std::collections::HashMap;

/// A sum of squares above this may hide a coordinate that is a blow-up: (10^18)².
const ALARM: f32 = 1e36;
/// Machine code longer than this is not kept: it would run from main memory.
const MOST_BYTES: usize = 1 << 24;

/// A kernel as machine code.
pub(crate) struct MachineCode {
    code: memmap2::Mmap,
    layout: TileLayout,
    form: Form,
    /// What scratch memory begins with.
    scratch: Vec<Line>,
    /// Tiles that go side by side.
    together: usize,
    /// Whether the value that a step saw goes to the tile.
    value: bool,
    /// Finds the largest gradient when an alarm has rung, where gradients have none of their own.
    gradients: Option<Box<MachineCode>>,
}

impl std::fmt::Debug for MachineCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MachineCode").field("bytes", &self.code.len()).field("form", &self.form).finish()
    }
}

impl MachineCode {
    /// Writes the kernel; `None` where this machine or this kernel is for the tape.
    pub(crate) fn new(kernel: &Kernel, layout: TileLayout, width: Width, task: Task) -> Option<MachineCode> {
        MachineCode::side_by_side(kernel, layout, width, task, twins::MOST)
    }

    /// Writes the kernel for at most so many tiles side by side.
    fn side_by_side(kernel: &Kernel, layout: TileLayout, width: Width, task: Task, most: usize) -> Option<MachineCode> {
        let form = match width {
            Width::Baseline => return None,
            Width::Avx2 => Form::Avx2,
            Width::Avx512 => Form::Avx512,
        };
        let watched = matches!(task, Task::Descend { .. });
        let lowered = lower::record(kernel, &layout, form.bytes(), watched)?;
        let mut definitions = lowered.definitions;
        let mut body = arrange::arrange(lowered.body, &definitions, &lowered.outputs);
        let together = twins::wanted(&body, &definitions, form.registers()).min(most);
        let gradients = match &lowered.gradients {
            Some(alone) => {
                Some(Box::new(MachineCode::side_by_side(alone, layout.clone(), width, Task::Evaluate, together)?))
            }
            None => None,
        };
        let tile_bytes = i32::try_from(layout.len()).ok()?.checked_mul(form.bytes())?;
        let outputs = twins::add(&mut definitions, &mut body, &lowered.outputs, tile_bytes, together);
        let body = interleave::interleave(body, &definitions, usize::from(form.registers()) * 5 / 8 - 2 * together);
        let (constants, end) = constants(&definitions, form, task, lowered.scratch);
        let mut emitter = Emitter::new(form, &definitions, constants.clone(), end);
        emitter.survey(&body, &outputs.concat());
        write(&mut emitter, &body, &outputs, &layout, task, &constants)?;
        if emitter.failed() {
            return None;
        }
        let bytes = usize::try_from(emitter.scratch).ok()?;
        let mut scratch = vec![Line::default(); bytes.div_ceil(size_of::<Line>())];
        let words: &mut [u32] = bytemuck::cast_slice_mut(&mut scratch);
        let first = frame::TABLES as usize / 4;
        if !lowered.tables.is_empty() {
            words[first..first + lowered.tables.len()].copy_from_slice(&lowered.tables);
        }
        for (&bits, &at) in &constants {
            let count = if form == Form::Avx512 { 1 } else { 8 };
            words[at as usize / 4..][..count].fill(bits);
        }
        let text = emitter.asm.finish()?;
        if text.len() > MOST_BYTES {
            return None;
        }
        let mut map = memmap2::MmapMut::map_anon(text.len()).ok()?;
        map.copy_from_slice(&text);
        // A system that forbids new code leaves the tape.
        let code = map.make_exec().ok()?;
        let value = matches!(task, Task::Descend { value: true, .. });
        Some(MachineCode { code, layout, form, scratch, together, value, gradients })
    }

    /// Restarts of a tile.
    pub(crate) fn lanes(&self) -> usize {
        self.form.bytes() as usize / 4
    }

    /// Tiles that go side by side: a call takes a multiple of them.
    pub(crate) fn together(&self) -> usize {
        self.together
    }

    /// Numbers of a tile.
    pub(crate) fn tile(&self) -> usize {
        self.layout.len() * self.lanes()
    }

    /// What a tile holds.
    pub(crate) fn layout(&self) -> &TileLayout {
        &self.layout
    }
}

/// Where every constant lies, and how many bytes of scratch memory are taken with them.
fn constants(definitions: &[Definition], form: Form, task: Task, taken: i32) -> (HashMap<u32, i32>, i32) {
    let mut wanted: Vec<u32> = definitions
        .iter()
        .filter_map(|d| match d {
            Definition::Op(Op::Constant(bits)) => Some(*bits),
            _ => None,
        })
        .collect();
    wanted.push(ALARM.to_bits());
    if definitions.iter().any(|d| matches!(d, Definition::Op(Op::Third(_)))) {
        wanted.push(emit::THIRD);
    }
    if let Task::Descend { gradient_squared, target, change, .. } = task {
        wanted.extend([gradient_squared, target].into_iter().flatten().map(|v| (v as f32).to_bits()));
        wanted.extend(change.iter().flat_map(|&c| [margin(c).to_bits(), 1f32.to_bits(), !SIGN]));
    }
    let each = if form == Form::Avx512 { 4 } else { form.bytes() };
    let (mut early, mut late) = (frame::CONSTANTS, taken.max(frame::TABLES));
    let mut all = HashMap::new();
    for bits in wanted {
        all.entry(bits).or_insert_with(|| {
            let next = if early + each <= frame::TABLES { &mut early } else { &mut late };
            *next += each;
            *next - each
        });
    }
    (all, (late + 63) & !63)
}

const SIGN: u32 = 0x8000_0000;

/// A tolerance with room for what the alarm's own arithmetic loses.
fn margin(change: f64) -> f32 {
    (change * (1.0 + 1e-5)) as f32
}

/// What a step leaves in registers of one of the tiles that go together.
struct Watched {
    /// The tile's first byte.
    first: i32,
    now: Option<u8>,
    norm: Option<u8>,
    /// The gradient's alarm, where it has one, and all together.
    alarms: (Option<u8>, u8),
}

/// Says which lanes of which tiles ring, in the frame; the zero flag tells whether none does.
fn look_at(
    e: &mut Emitter<'_>,
    tiles: &[Watched],
    layout: &TileLayout,
    task: Task,
    constant: &dyn Fn(u32) -> Option<Source>,
) -> Option<()> {
    let Task::Descend { gradient_squared, target, change, .. } = task else { return Some(()) };
    let bytes = e.asm.form.bytes();
    let vector = |row: usize| i32::try_from(row).ok()?.checked_mul(bytes);
    let mask = e.scratch_mask();
    for (tile, &Watched { first, now, norm, alarms }) in tiles.iter().enumerate() {
        // One bit for each lane, in rcx.
        let mut tests = 0;
        let mut ring = |e: &mut Emitter<'_>, predicate, a: u8, b: Source| {
            e.asm.compare(predicate, mask, a, b);
            e.asm.lanes_to_gpr(if tests == 0 { Gpr::Rcx } else { Gpr::Rdx }, mask);
            if tests > 0 {
                e.asm.or(Gpr::Rcx, Gpr::Rdx);
            }
            tests += 1;
        };
        ring(e, Predicate::NotLessEqual, alarms.1, constant(ALARM.to_bits())?);
        if let (Some(limit), Some(norm)) = (gradient_squared, norm) {
            ring(e, Predicate::LessEqual, norm, constant((limit as f32).to_bits())?);
        }
        if let (Some(goal), Some(now)) = (target, now) {
            ring(e, Predicate::LessEqual, now, constant((goal as f32).to_bits())?);
        }
        if let (Some(change), Some(now)) = (change, now) {
            let last = Memory::at(TILE, first + vector(layout.last())?);
            let (difference, size) = (e.borrow(), e.borrow());
            e.asm.two(encode::SUB, difference, now, Source::Vector(last));
            e.asm.two(encode::AND_BITS, difference, difference, constant(!SIGN)?);
            e.asm.two(encode::AND_BITS, size, now, constant(!SIGN)?);
            e.asm.two(encode::MAX, size, size, constant(1f32.to_bits())?);
            e.asm.two(encode::MUL, size, size, constant(margin(change).to_bits())?);
            ring(e, Predicate::LessEqual, difference, Source::Register(size));
            e.give(difference);
            e.give(size);
        }
        e.asm.and_load(Gpr::Rcx, Memory::at(TILE, first + vector(layout.words() + 2)?));
        e.asm.mov_store(Memory::at(FRAME, Frame::RUNG + 8 * tile as i32), Gpr::Rcx);
        if tile == 0 {
            e.asm.mov(Gpr::Rax, Gpr::Rcx);
        }
        e.asm.or(Gpr::Rax, Gpr::Rcx);
    }
    Some(())
}

/// Keeps the points before the step, and the number of steps, of the lanes that rang, and takes these lanes out.
fn put_down(e: &mut Emitter<'_>, layout: &TileLayout, tile: usize, first: i32) -> Option<()> {
    let bytes = e.asm.form.bytes();
    let vector = |row: usize| i32::try_from(row).ok()?.checked_mul(bytes);
    let (mask, spare) = (e.scratch_mask(), e.spare());
    e.asm.mov_load(Gpr::Rcx, Memory::at(FRAME, Frame::RUNG + 8 * tile as i32));
    e.asm.gpr_to_lanes(mask, Gpr::Rcx);
    for i in 0..layout.dim {
        e.asm.load(spare, Source::Vector(Memory::at(BEFORE, first + vector(i)?)));
        e.asm.store_lanes(Memory::at(TILE, first + vector(layout.ends() + i)?), spare, mask);
    }
    e.asm.load(spare, Source::Spread(Memory::at(FRAME, Frame::STEP)));
    e.asm.store_lanes(Memory::at(TILE, first + vector(layout.ends() + layout.dim)?), spare, mask);
    let alive = first + vector(layout.words() + 2)?;
    e.asm.mov_load(Gpr::Rdx, Memory::at(TILE, alive));
    e.asm.xor(Gpr::Rdx, Gpr::Rcx);
    e.asm.mov_store(Memory::at(TILE, alive), Gpr::Rdx);
    e.asm.mov_load(Gpr::Rdx, Memory::at(TILE, alive + 8));
    e.asm.or(Gpr::Rdx, Gpr::Rcx);
    e.asm.mov_store(Memory::at(TILE, alive + 8), Gpr::Rdx);
    Some(())
}

/// Everything around the body: the loops over steps and tiles, and the alarms.
fn write(
    e: &mut Emitter<'_>,
    body: &[code::Item],
    outputs: &[Vec<Value>],
    layout: &TileLayout,
    task: Task,
    constants: &HashMap<u32, i32>,
) -> Option<()> {
    let bytes = e.asm.form.bytes();
    let vector = |row: usize| i32::try_from(row).ok()?.checked_mul(bytes);
    let tile_bytes = vector(layout.len())?;
    let frame = |at: i32| Memory::at(FRAME, at);
    let kept = [Gpr::Rbx, Gpr::Rbp, Gpr::R12, Gpr::R13, Gpr::R14, Gpr::R15];
    let [step_top, top, done, look, no_trip, trip, leave] = [(); 7].map(|()| e.asm.label());
    for register in kept {
        e.asm.push(register);
    }
    e.asm.add(Gpr::Rsp, -8);
    e.asm.mov(FRAME, Gpr::Rdi);
    e.asm.store_control(frame(Frame::CONTROL));
    e.asm.load_control(frame(Frame::OWN_CONTROL));
    e.asm.mov_load(SCRATCH, frame(Frame::SCRATCH));
    e.asm.mov_load(DATA, frame(Frame::DATA));
    e.asm.mov_load(HOST, frame(Frame::HOST));
    e.asm.mov_load(TILE, frame(Frame::TILE));
    let place = |e: &mut Emitter<'_>| {
        e.asm.mov_load(BEFORE, frame(Frame::BEFORE));
        e.asm.lea(BEFORE, Memory { base: TILE, index: Some(BEFORE), displacement: 0 });
        e.asm.mov_load(AFTER, frame(Frame::AFTER));
        e.asm.lea(AFTER, Memory { base: TILE, index: Some(AFTER), displacement: 0 });
    };
    place(e);
    e.asm.bind(step_top);
    e.keep_tests(body);
    if matches!(task, Task::Descend { .. }) {
        e.keep_shared(body, outputs.len());
    }
    e.asm.bind(top);
    e.asm.compare_load(TILE, frame(Frame::END));
    e.asm.jump_if(Condition::AboveOrEqual, done);
    if matches!(task, Task::Descend { .. }) {
        e.watch(outputs.len(), body);
    }
    e.body(body);
    e.close();
    let constant = |bits: u32| {
        let memory = Memory::at(SCRATCH, constants.get(&bits).copied()?);
        Some(if bytes == 64 { Source::Spread(memory) } else { Source::Vector(memory) })
    };
    let mut tiles = Vec::new();
    for (tile, outputs) in outputs.iter().enumerate() {
        let first = tile_bytes.checked_mul(tile as i32)?;
        match task {
            Task::Evaluate => {
                for (k, &output) in outputs.iter().enumerate() {
                    let register = e.keep(output);
                    e.asm.store(Memory::at(TILE, first + vector(layout.outputs() + k)?), register);
                }
            }
            Task::Descend { value, .. } => {
                let mut outputs = outputs.iter();
                let now = if value { outputs.next().map(|&v| e.keep(v)) } else { None };
                let norm = outputs.next().map(|&v| e.keep(v));
                tiles.push(Watched { first, now, norm, alarms: e.alarms(tile) });
            }
        }
    }
    let mask = e.scratch_mask();
    if let Task::Descend { gradient_squared, target, change, .. } = task {
        if (gradient_squared, target, change) == (None, None, None) {
            // Blow-ups alone: the alarms of all tiles in one; whose it was is found out behind everything else.
            let sum = e.spare();
            let mut alarms = tiles.iter().map(|t| t.alarms.1);
            match (alarms.next(), alarms.next()) {
                (Some(a), Some(b)) => e.asm.two(encode::ADD, sum, a, Source::Register(b)),
                (Some(a), None) => e.asm.copy(sum, a),
                (None, _) => e.asm.clear(sum),
            }
            alarms.for_each(|a| e.asm.two(encode::ADD, sum, sum, Source::Register(a)));
            e.asm.compare(Predicate::NotLessEqual, mask, sum, constant(ALARM.to_bits())?);
            e.asm.lanes_to_gpr(Gpr::Rax, mask);
            e.asm.or(Gpr::Rax, Gpr::Rax);
            e.asm.jump_if(Condition::NotZero, look);
            e.asm.bind(no_trip);
        } else {
            look_at(e, &tiles, layout, task, &constant)?;
            e.asm.jump_if(Condition::NotZero, look);
            e.asm.bind(no_trip);
        }
        // Only now: when a tile rings, no tile's last value is the new one yet.
        for t in &tiles {
            if let Some(now) = t.now {
                e.asm.store(Memory::at(TILE, t.first + vector(layout.last())?), now);
            }
        }
    }
    let step = tile_bytes.checked_mul(outputs.len() as i32)?;
    for register in [TILE, BEFORE, AFTER] {
        e.asm.add(register, step);
    }
    e.asm.jump(top);

    e.asm.bind(done);
    if matches!(task, Task::Descend { .. }) {
        e.asm.add_load(HOST, frame(Frame::STRIDE));
        e.asm.mov_load(Gpr::Rcx, frame(Frame::BEFORE));
        e.asm.mov_load(Gpr::Rdx, frame(Frame::AFTER));
        e.asm.mov_store(frame(Frame::BEFORE), Gpr::Rdx);
        e.asm.mov_store(frame(Frame::AFTER), Gpr::Rcx);
        e.asm.mov_load(TILE, frame(Frame::FIRST));
        place(e);
        e.asm.mov_load(Gpr::Rax, frame(Frame::STEP));
        e.asm.add(Gpr::Rax, 1);
        e.asm.mov_store(frame(Frame::STEP), Gpr::Rax);
        e.asm.compare_load(Gpr::Rax, frame(Frame::STEPS));
        e.asm.jump_if(Condition::Below, step_top);
    }
    e.asm.zero(Gpr::Rax);
    e.asm.bind(leave);
    e.asm.mov_store(frame(Frame::TILE), TILE);
    e.asm.mov_store(frame(Frame::HOST), HOST);
    e.asm.leave_vectors();
    e.asm.load_control(frame(Frame::CONTROL));
    e.asm.add(Gpr::Rsp, 8);
    for register in kept.into_iter().rev() {
        e.asm.pop(register);
    }
    e.asm.ret();

    e.asm.bind(look);
    if matches!(task, Task::Descend { gradient_squared: None, target: None, change: None, .. }) {
        look_at(e, &tiles, layout, task, &constant)?;
        e.asm.jump_if(Condition::NotZero, trip);
        e.asm.jump(no_trip);
    }
    if layout.puts_down && !tiles.is_empty() {
        // A blow-up is for the engine; all others have converged.
        let mask = e.scratch_mask();
        e.asm.zero(Gpr::Rax);
        for t in &tiles {
            e.asm.compare(Predicate::NotLessEqual, mask, t.alarms.1, constant(ALARM.to_bits())?);
            e.asm.lanes_to_gpr(Gpr::Rcx, mask);
            e.asm.and_load(Gpr::Rcx, Memory::at(TILE, t.first + vector(layout.words() + 2)?));
            e.asm.or(Gpr::Rax, Gpr::Rcx);
        }
        e.asm.jump_if(Condition::NotZero, trip);
        for (tile, t) in tiles.iter().enumerate() {
            put_down(e, layout, tile, t.first)?;
        }
        e.asm.jump(no_trip);
    }
    e.asm.bind(trip);
    for (tile, t) in tiles.iter().enumerate() {
        let line = (tile * size_of::<Line>()) as i32;
        for (at, register) in [(Frame::ALARM, t.alarms.0), (Frame::NOW, t.now), (Frame::NORM, t.norm)] {
            if let Some(register) = register {
                e.asm.store(frame(at + line), register);
            }
        }
    }
    e.asm.mov_wide(Gpr::Rax, 1);
    e.asm.jump(leave);
    e.rare();
    e.outside();
    Some(())
}

/// A thread's memory for running one program.
pub(crate) struct Worker<'c> {
    code: &'c MachineCode,
    scratch: Vec<Line>,
    frame: Box<Frame>,
    /// The surface's table.
    data: &'c [f32],
    /// Runs what finds the largest gradient.
    gradients: Option<Box<Worker<'c>>>,
}

impl<'c> Worker<'c> {
    pub(crate) fn new(code: &'c MachineCode, key: [u32; 2], data: &'c [f32]) -> Worker<'c> {
        let lanes = code.lanes();
        let words = code.layout.words() * 4 * lanes;
        let gradients = code.gradients.as_deref().map(|code| Box::new(Worker::new(code, key, data)));
        Worker { code, scratch: code.scratch.clone(), frame: Box::new(Frame::new(key, words, lanes)), data, gradients }
    }

    /// Runs; `look` is told of every tile that rings, in order of steps and tiles, before its step is kept.
    pub(crate) fn run(&mut self, work: Work<'_, f32>, look: &mut dyn FnMut(Ring<'_, f32>)) {
        let (lanes, dim) = (self.code.lanes(), self.code.layout.dim);
        let bytes = 4 * self.code.tile();
        let count = size_of_val(work.tiles) / bytes / self.code.together * self.code.together;
        if count == 0 || work.step >= work.steps {
            return;
        }
        let vector = 4 * lanes;
        let first = work.tiles.as_mut_ptr() as usize;
        let frame = &mut *self.frame;
        frame.tile = first;
        frame.first = first;
        frame.end = first + count * bytes;
        frame.before = work.flip * dim * vector;
        frame.after = (1 - work.flip) * dim * vector;
        frame.host = work.host.as_ptr() as usize;
        frame.stride = 4 * work.stride;
        frame.step = work.step;
        frame.steps = work.steps;
        frame.scratch = self.scratch.as_mut_ptr() as usize;
        frame.data = self.data.as_ptr() as usize;
        // SAFETY: the code was written by `write` above for exactly this frame, layout and form, and the form was seen on this
        // machine. It reads and writes tiles, scratch memory and the frame, and reads host scalars and the table, all within
        // what the kernel's places say.
        let call = unsafe {
            std::mem::transmute::<*const u8, unsafe extern "sysv64" fn(*mut Frame) -> u64>(self.code.code.as_ptr())
        };
        loop {
            // SAFETY: as above; the tiles are borrowed for as long as this runs.
            if unsafe { call(&raw mut *self.frame) } == 0 {
                return;
            }
            let frame = &mut *self.frame;
            let at = frame.tile - first;
            let group = at / size_of::<Line>()..(at + self.code.together * bytes) / size_of::<Line>();
            if let Some(gradients) = &mut self.gradients {
                let host = &work.host[(frame.host - work.host.as_ptr() as usize) / 4..];
                let flip = usize::from(frame.before != 0);
                let tiles = &mut work.tiles[group.clone()];
                let again = Work { tiles, flip, host, stride: 0, step: frame.step, steps: frame.step + 1 };
                gradients.run(again, &mut |_| {});
            }
            let numbers = bytemuck::cast_slice_mut::<Line, f32>(&mut work.tiles[group]);
            for (k, rows) in numbers.chunks_exact_mut(bytes / 4).enumerate() {
                if frame.rung[k] == 0 && !self.code.value {
                    continue;
                }
                let mut largest = [0.0; 16];
                let gradient = match self.gradients {
                    Some(_) => {
                        largest[..lanes]
                            .copy_from_slice(&rows[self.code.layout.row(self.code.layout.outputs(), lanes)]);
                        &largest[..lanes]
                    }
                    None => &frame.alarm[k].0[..lanes],
                };
                look(Ring {
                    tile: at / bytes + k,
                    step: frame.step,
                    rows,
                    lanes: [frame.rung[k], 0, 0, 0],
                    before: frame.before / vector,
                    after: frame.after / vector,
                    gradient,
                    value: &frame.now[k].0[..lanes],
                    norm: &frame.norm[k].0[..lanes],
                });
            }
            frame.tile += self.code.together * bytes;
        }
    }
}
