//! Runs a tape over one block of lanes, compiled for each width of vector instructions.

use super::lane::{CHUNK, Lane, Width, fuses};
use super::tape::{Op, Operand, Space, Tape};
use crate::graph::{LaneLoop, Law};
use crate::kernel::Fused;
use crate::random::{Purpose, RowDraws, philox4x32, row_words};

/// The surface's table as lanes read it.
#[derive(Clone, Copy)]
pub(crate) struct TableRows<'a, F> {
    /// Row-major.
    pub(crate) values: &'a [F],
    /// Columns.
    pub(crate) columns: usize,
    /// How a batch's rows are drawn.
    pub(crate) draws: RowDraws,
}

impl<F> TableRows<'_, F> {
    /// No table.
    pub(crate) const NONE: Self = TableRows { values: &[], columns: 0, draws: RowDraws::NONE };
}

/// One block's slab and what its lanes are.
pub(crate) struct Block<F> {
    /// Rows of `lanes` numbers.
    pub(crate) slab: Vec<F>,
    /// Lanes, a multiple of [`CHUNK`].
    pub(crate) lanes: usize,
    /// Which of the two parameter arrays is before the step.
    pub(crate) flip: usize,
    /// The seed's two words.
    pub(crate) key: [u32; 2],
    /// The numbers of the lanes' restarts; empty where nothing is drawn.
    pub(crate) ids: Vec<u64>,
    counters: Vec<u32>,
    picks: Picks,
}

/// Each lane's row of the surface's table, and the words it was drawn from.
#[derive(Default)]
struct Picks {
    rows: Vec<u32>,
    words: Vec<[u32; 4]>,
    address: Option<[u32; 2]>,
}

impl Picks {
    fn pick(&mut self, draws: RowDraws, key: [u32; 2], ids: &[u64], step: u32, draw: u32) {
        let address = draws.address(step, draw);
        if self.address != Some(address) {
            self.address = Some(address);
            self.words.clear();
            self.words.extend(ids.iter().map(|&id| row_words(key, id, address)));
        }
        self.rows.clear();
        self.rows.extend(self.words.iter().map(|&words| draws.choose(words, step, draw)));
    }
}

impl<F: Lane> Block<F> {
    pub(crate) fn new(tape_rows: usize, vars: usize, lanes: usize, key: [u32; 2]) -> Block<F> {
        Block {
            slab: vec![F::default(); tape_rows * lanes],
            lanes,
            flip: 0,
            key,
            ids: Vec::new(),
            counters: vec![0; vars],
            picks: Picks::default(),
        }
    }

    /// Other restarts take the lanes.
    pub(crate) fn renumber(&mut self, ids: impl Iterator<Item = u64>) {
        self.ids.clear();
        self.ids.extend(ids);
        self.picks.address = None;
    }

    /// A row of the slab.
    pub(crate) fn row(&self, row: usize) -> &[F] {
        &self.slab[row * self.lanes..][..self.lanes]
    }

    /// A row of the slab.
    pub(crate) fn row_mut(&mut self, row: usize) -> &mut [F] {
        &mut self.slab[row * self.lanes..][..self.lanes]
    }

    /// Where an output lies, as a row or a number that all lanes share.
    pub(crate) fn output(&self, tape: &Tape<F>, operand: Operand, host: &[F]) -> Output<'_, F> {
        match operand.space {
            Space::Row => Output::Row(self.row(operand.base as usize)),
            Space::X => Output::Row(self.row(tape.x[self.flip] + operand.base as usize)),
            Space::Next => Output::Row(self.row(tape.x[1 - self.flip] + operand.base as usize)),
            // An output that is a number of the table: a kernel gives out sums, and never the table itself.
            Space::Shared | Space::Data => Output::Shared(tape.shared[operand.base as usize]),
            Space::Host => Output::Shared(host[operand.base as usize]),
        }
    }
}

/// A scalar output of a block.
pub(crate) enum Output<'a, F> {
    /// One number a lane.
    Row(&'a [F]),
    /// The same for all.
    Shared(F),
}

impl<F: Lane> Output<'_, F> {
    /// The lane's number.
    pub(crate) fn at(&self, lane: usize) -> F {
        match self {
            Output::Row(row) => row[lane],
            Output::Shared(v) => *v,
        }
    }

    /// Whether any lane's number is above `limit` or is no number.
    pub(crate) fn any_above(&self, limit: F) -> bool {
        match self {
            Output::Row(row) => row.iter().fold(false, |any, &v| any | (v > limit)),
            Output::Shared(v) => *v > limit,
        }
    }
}

/// What a run reads beside its block.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a, F> {
    /// The step's host scalars.
    pub(crate) host: &'a [F],
    /// The surface's table.
    pub(crate) data: TableRows<'a, F>,
    /// The number of the step, from 1.
    pub(crate) step: u32,
}

impl<F> Given<'_, F> {
    /// Nothing: for a kernel that reads its block alone.
    pub(crate) const NOTHING: Self = Given { host: &[], data: TableRows::NONE, step: 0 };
}

/// Runs the tape once: one step, or one evaluation.
pub(crate) fn run<F: Lane>(width: Width, tape: &Tape<F>, block: &mut Block<F>, given: Given<'_, F>) {
    match width {
        Width::Baseline if fuses() => interpret::<F, true>(tape, block, given),
        Width::Baseline => interpret::<F, false>(tape, block, given),
        // SAFETY: `Width::detect` saw the feature on this machine.
        #[cfg(target_arch = "x86_64")]
        Width::Avx2 => unsafe { with_avx2(tape, block, given) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Width::Avx512 => unsafe { with_avx512(tape, block, given) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn with_avx2<F: Lane>(tape: &Tape<F>, block: &mut Block<F>, given: Given<'_, F>) {
    interpret::<F, true>(tape, block, given);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,fma")]
fn with_avx512<F: Lane>(tape: &Tape<F>, block: &mut Block<F>, given: Given<'_, F>) {
    interpret::<F, true>(tape, block, given);
}

/// Where an operand's numbers are.
#[derive(Clone, Copy)]
enum Source<F> {
    Row(*const F),
    All(F),
}

/// Copies a chunk, or spreads a shared number over one.
///
/// # Safety
/// A row's pointer has `at + CHUNK` numbers behind it.
#[inline(always)]
unsafe fn chunk<F: Lane>(source: Source<F>, at: usize) -> [F; CHUNK] {
    match source {
        // SAFETY: the caller's promise.
        Source::Row(row) => unsafe { row.add(at).cast::<[F; CHUNK]>().read_unaligned() },
        Source::All(v) => [v; CHUNK],
    }
}

struct Places<'a, F> {
    tape: &'a Tape<F>,
    host: &'a [F],
    data: &'a [F],
    base: *mut F,
    rows: usize,
    lanes: usize,
    x: usize,
    next: usize,
}

impl<F: Lane> Places<'_, F> {
    #[inline(always)]
    fn index(&self, operand: Operand, counters: &[u32]) -> usize {
        if operand.moves == 0 {
            return operand.base as usize;
        }
        let mut place = operand.base;
        for &(var, step) in &self.tape.moves[operand.moves as usize] {
            // Terms that are not there stand last.
            if step == 0 {
                break;
            }
            place += step * counters[var as usize] as i32;
        }
        place as usize
    }

    #[inline(always)]
    fn row(&self, operand: Operand, counters: &[u32]) -> *mut F {
        let place = self.index(operand, counters);
        let row = match operand.space {
            Space::X => self.x + place,
            Space::Next => self.next + place,
            _ => place,
        };
        assert!(row < self.rows, "a tape stays inside its slab");
        // SAFETY: the row is inside the slab, as just checked.
        unsafe { self.base.add(row * self.lanes) }
    }

    #[inline(always)]
    fn source(&self, operand: Operand, counters: &[u32]) -> Source<F> {
        match operand.space {
            Space::Shared => Source::All(self.tape.shared[self.index(operand, counters)]),
            Space::Host => Source::All(self.host[operand.base as usize]),
            Space::Data => Source::All(self.data[self.index(operand, counters)]),
            _ => Source::Row(self.row(operand, counters)),
        }
    }
}

/// The loop of one two-argument operator, compiled for every operator and every mix of rows and shared numbers.
struct Pairs<F> {
    to: *mut F,
    a: Source<F>,
    b: Source<F>,
    lanes: usize,
}

impl<F: Lane> LaneLoop<F> for Pairs<F> {
    #[inline(always)]
    fn run(self, f: impl Fn(F, F) -> F + Copy) {
        for at in (0..self.lanes).step_by(CHUNK) {
            // SAFETY: rows have `lanes` numbers, a multiple of `CHUNK`; chunks are copied before they are written, so a
            // result may lie where an argument was.
            unsafe {
                let mut out = [F::default(); CHUNK];
                match (self.a, self.b) {
                    (Source::Row(_), Source::Row(_)) => {
                        let (a, b) = (chunk(self.a, at), chunk(self.b, at));
                        for i in 0..CHUNK {
                            out[i] = f(a[i], b[i]);
                        }
                    }
                    (Source::Row(_), Source::All(b)) => {
                        let a = chunk(self.a, at);
                        for i in 0..CHUNK {
                            out[i] = f(a[i], b);
                        }
                    }
                    (Source::All(a), _) => {
                        let b = chunk(self.b, at);
                        for i in 0..CHUNK {
                            out[i] = f(a, b[i]);
                        }
                    }
                }
                self.to.add(at).cast::<[F; CHUNK]>().write_unaligned(out);
            }
        }
    }
}

#[inline(always)]
fn interpret<F: Lane, const FUSE: bool>(tape: &Tape<F>, block: &mut Block<F>, given: Given<'_, F>) {
    let Given { host, data, step } = given;
    let lanes = block.lanes;
    let rows = block.slab.len() / lanes;
    let (key, ids) = (block.key, &block.ids);
    let (x, next) = (tape.x[block.flip], tape.x[1 - block.flip]);
    let (counters, picks) = (&mut block.counters, &mut block.picks);
    let places = Places { tape, host, data: data.values, base: block.slab.as_mut_ptr(), rows, lanes, x, next };
    let mut at = 0;
    while let Some(op) = tape.ops.get(at) {
        at += 1;
        match *op {
            Op::Loop { var, count, block, end } => {
                let (from, to) = turns(count, block, counters);
                counters[var as usize] = from;
                if from >= to {
                    at = end as usize + 1;
                }
            }
            Op::End { var, start } => {
                let Op::Loop { count, block, .. } = tape.ops[start as usize] else { continue };
                counters[var as usize] += 1;
                if counters[var as usize] < turns(count, block, counters).1 {
                    at = start as usize + 1;
                }
            }
            Op::Pick { draw } => {
                let draw = places.index(draw, counters) as u32;
                picks.pick(data.draws, key, ids, step, draw);
            }
            Op::Gather { to, column } => {
                let to = places.row(to, counters);
                let column = places.index(column, counters);
                for (lane, &row) in picks.rows.iter().enumerate().take(lanes) {
                    let value = data.values[row as usize * data.columns + column];
                    // SAFETY: rows have `lanes` numbers, as `picks` has.
                    unsafe { *to.add(lane) = value };
                }
            }
            Op::Copy { to, a } => {
                let (to, a) = (places.row(to, counters), places.source(a, counters));
                for at in (0..lanes).step_by(CHUNK) {
                    // SAFETY: rows have `lanes` numbers.
                    unsafe { to.add(at).cast::<[F; CHUNK]>().write_unaligned(chunk(a, at)) };
                }
            }
            Op::Unary { op, to, a } => {
                let (to, a) = (places.row(to, counters), places.source(a, counters));
                for at in (0..lanes).step_by(CHUNK) {
                    let mut out = [F::default(); CHUNK];
                    // SAFETY: rows have `lanes` numbers; the chunk is copied before it is written.
                    unsafe {
                        F::unary::<FUSE>(op, &chunk(a, at), &mut out);
                        to.add(at).cast::<[F; CHUNK]>().write_unaligned(out);
                    }
                }
            }
            Op::Binary { op, to, a, b } => {
                let to = places.row(to, counters);
                F::binary::<FUSE, _>(
                    op,
                    Pairs { to, a: places.source(a, counters), b: places.source(b, counters), lanes },
                );
            }
            Op::Select { to, c, a, b } => {
                let to = places.row(to, counters);
                let (c, a, b) = (places.source(c, counters), places.source(a, counters), places.source(b, counters));
                let zero = F::default();
                for at in (0..lanes).step_by(CHUNK) {
                    // SAFETY: rows have `lanes` numbers; chunks are copied before they are written.
                    unsafe {
                        let (c, a, b) = (chunk(c, at), chunk(a, at), chunk(b, at));
                        let mut out = [zero; CHUNK];
                        for i in 0..CHUNK {
                            out[i] = if c[i] != zero { a[i] } else { b[i] };
                        }
                        to.add(at).cast::<[F; CHUNK]>().write_unaligned(out);
                    }
                }
            }
            Op::Fused { op, to, a, b, c } => {
                let to = places.row(to, counters);
                let (a, b, c) = (places.source(a, counters), places.source(b, counters), places.source(c, counters));
                for at in (0..lanes).step_by(CHUNK) {
                    // SAFETY: rows have `lanes` numbers; chunks are copied before they are written.
                    unsafe {
                        let (a, b, c) = (chunk(a, at), chunk(b, at), chunk(c, at));
                        let mut out = [F::default(); CHUNK];
                        // The sign of a factor or of the addend turns without rounding.
                        for i in 0..CHUNK {
                            out[i] = match op {
                                Fused::Add => a[i].mul_add(b[i], c[i]),
                                Fused::Subtract => a[i].mul_add(b[i], c[i].negated()),
                                Fused::SubtractFrom => a[i].negated().mul_add(b[i], c[i]),
                            };
                        }
                        to.add(at).cast::<[F; CHUNK]>().write_unaligned(out);
                    }
                }
            }
            Op::Draw { site, law, to, block } => {
                let block = places.index(block, counters) as u32;
                let to = places.row(to, counters);
                draw(law, to, lanes, key, ids, step, Purpose::Draw(site as u8).tag(block));
            }
        }
    }
}

/// Where a loop's counter begins and ends.
#[inline(always)]
fn turns(count: u32, block: Option<(u32, u32)>, counters: &[u32]) -> (u32, u32) {
    match block {
        None => (0, count),
        Some((outer, total)) => {
            let from = counters[outer as usize] * count;
            (from, (from + count).min(total))
        }
    }
}

/// Four rows of draws from `to` on, one word each from every lane's own Philox block.
#[inline(always)]
fn draw<F: Lane>(law: Law, to: *mut F, lanes: usize, key: [u32; 2], ids: &[u64], step: u32, tag: u32) {
    for (lane, &restart) in ids.iter().enumerate().take(lanes) {
        let words = philox4x32([restart as u32, (restart >> 32) as u32, step, tag], key);
        for (k, v) in F::draw(law, words).into_iter().enumerate() {
            // SAFETY: a draw's four rows lie one after the other in the slab.
            unsafe { *to.add(k * lanes + lane) = v };
        }
    }
}
