//! Spread restarts: a workgroup for each, whose invocations ("lanes") share the turns of its loops.
//!
//! Coordinates lie in blocks of `grain`; block `b` belongs to lane `b mod width`, in every loop, whatever the loop's first place.
//! An array that every loop touches in its owner's lane alone lies in that lane's registers. What other lanes read too, a
//! neighbour's parameter for instance, lies in workgroup memory or, where that is full, in storage. Elements that stand
//! outside of all loops (the ends of a chain) are kept and computed by every lane alike.
//!
//! A lane adds up its own turns; then `groups` lanes add up those of `width / groups` lanes each, and every lane adds up these
//! sums in the same order. So a result depends on the kernel and the width alone, and both on surface, rule and dimension.

use super::target::{Private, Target};
use crate::cpu::{KERNEL_LIMIT, with_large_stack};
use crate::graph::{Binary, Graph};
use crate::kernel::{Array, Index, Instruction, Kernel, Loop, LoopVar, Outputs, Statement, ValueId, lower_shared};
use crate::surface::Surface;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Words of workgroup memory that every device has: 16 KiB.
const WORKGROUP_WORDS: u32 = 4096;

/// Numbers of an array that a lane may hold in registers: more lie in memory of its own, where copying is dear.
const REGISTERS: u32 = 16;

/// Where an array of a restart lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// In the lanes that own its elements.
    Own,
    /// In workgroup memory.
    Group,
    /// In storage buffers.
    Stored,
}

/// How a kernel is spread over a workgroup.
#[derive(Clone, Debug)]
pub(super) struct Spread {
    /// Lanes of a workgroup.
    pub(super) width: u32,
    /// Lanes that add up those of others.
    pub(super) groups: u32,
    /// Coordinates of a block.
    pub(super) grain: u32,
    /// Blocks of a lane, at most.
    pub(super) blocks: u32,
    /// Accumulators of a loop, at most.
    pub(super) sums: u32,
    pub(super) homes: BTreeMap<Array, Home>,
    /// Elements of owned arrays that every lane keeps. Parameters before and after a step have the same.
    pub(super) pinned: BTreeMap<Array, BTreeSet<i32>>,
    /// By counter of a shared loop: the block of its first turn.
    pub(super) starts: HashMap<LoopVar, u32>,
    /// By accumulator: what joins its turns; none where it never changes.
    pub(super) folds: HashMap<ValueId, Option<Binary>>,
    /// Whether owned parameters before and after a step are halves of one array that change places.
    pub(super) halves: bool,
    /// Loop turns of a lane in a step or evaluation.
    pub(super) turns: u64,
}

/// One way in which a loop, or code outside of all loops, touches an array.
struct Access {
    array: Array,
    store: bool,
    index: Index,
    /// The shared loop's counter and turns, where there is one.
    turn: Option<(LoopVar, u32)>,
    /// How much the place moves with each turn, and where it is at the first: inner loops make that a range.
    step: i64,
    first: (i64, i64),
}

impl Access {
    fn new(array: Array, store: bool, index: Index, shared: Option<&Loop>, inner: &[(LoopVar, u32)]) -> Access {
        let mut access = Access {
            array,
            store,
            index,
            turn: shared.map(|l| (l.var, l.count)),
            step: 0,
            first: (i64::from(index.offset), i64::from(index.offset)),
        };
        for (var, step) in index.terms() {
            match inner.iter().find(|i| i.0 == var) {
                Some(&(_, count)) => {
                    let reach = i64::from(step) * (i64::from(count) - 1);
                    access.first.0 += reach.min(0);
                    access.first.1 += reach.max(0);
                }
                None => access.step = i64::from(step),
            }
        }
        access
    }

    /// The block of the first turn, where the place moves from block to block and stays at one place of each.
    fn block(&self, grain: u32) -> Option<u32> {
        let plain = self.index.terms().count() == 1 && self.step == i64::from(grain) && self.index.offset >= 0;
        plain.then(|| self.index.offset as u32 / grain)
    }

    /// Whether a turn comes to this place.
    fn covers(&self, place: i32) -> bool {
        let Some((_, count)) = self.turn else { return false };
        let past = i64::from(place) - self.first.0;
        self.step != 0 && past % self.step == 0 && (0..i64::from(count)).contains(&(past / self.step))
    }
}

/// Lowers for a workgroup a restart, where the target wants that for the dimension and the kernel has a form for it.
pub(super) fn lower_spread(
    graph: &Graph,
    outputs: &Outputs,
    surface: &Surface,
    target: &Target,
    states: u32,
) -> Option<(Kernel, Spread)> {
    let dim = surface.dim();
    // What passes over rows of data shares its arrays of sums.
    let width = target.width(dim).filter(|_| surface.table().is_none())?;
    let kernel = with_large_stack(|| lower_shared(graph, outputs, dim))?;
    let spread = Spread::new(&kernel, states, width, target.lane).filter(|_| kernel.len() <= KERNEL_LIMIT / 10)?;
    let apart = spread.homes.values().all(|home| *home == Home::Own);
    (apart || target.shares(dim)).then_some((kernel, spread))
}

impl Spread {
    /// How to spread a kernel over `width` lanes, each with this much `private` room; `None` for one whose loops must run turn by turn.
    pub(super) fn new(kernel: &Kernel, states: u32, width: u32, private: Private) -> Option<Spread> {
        let mut accesses = Vec::new();
        let mut folds = HashMap::new();
        let mut sums = 0;
        for statement in &kernel.body {
            match statement {
                Statement::Loop(l) => {
                    accessed(&l.body, Some(l), &mut Vec::new(), &mut accesses)?;
                    sums = sums.max(l.carried.len() as u32);
                    folds.extend(joined(l)?);
                }
                other => accessed(std::slice::from_ref(other), None, &mut Vec::new(), &mut accesses)?,
            }
        }
        let loops: Vec<&Loop> = kernel.body.iter().filter_map(as_loop).collect();
        if loops.is_empty() || loops.iter().any(|l| !turns_are_apart(l.var, &accesses)) {
            return None;
        }
        let moving = |a: &&Access| a.turn.is_some() && a.step > 0;
        let output = accesses.iter().filter(moving).find(|a| matches!(a.array, Array::Next | Array::Gradient));
        let grain = output.map_or(1, |a| a.step as u32);
        let start = |l: &Loop| {
            // Where a loop stores is where it belongs; a loop that only reads may stand anywhere.
            let mine = || accesses.iter().filter(|a| a.turn.is_some_and(|t| t.0 == l.var));
            let stored = mine().filter(|a| a.store).find_map(|a| a.block(grain));
            (l.var, stored.or_else(|| mine().find_map(|a| a.block(grain))).unwrap_or(0))
        };
        let starts: HashMap<LoopVar, u32> = loops.iter().map(|l| start(l)).collect();
        let groups = 1 << (width.ilog2() / 2);
        let blocks = kernel.dim.div_ceil(grain).div_ceil(width);
        let mut spread = Spread {
            width,
            groups,
            grain,
            blocks,
            sums,
            homes: BTreeMap::new(),
            pinned: BTreeMap::new(),
            starts,
            folds,
            halves: false,
            turns: 0,
        };
        spread.turns = loops
            .iter()
            .map(|l| {
                let (from, to) = spread.rounds(l);
                u64::from(to - from).saturating_mul(1 + l.inner_turns())
            })
            .fold(0, u64::saturating_add);
        spread.settle(kernel, states, private, &accesses);
        if spread.homes.get(&Array::X) == Some(&Home::Own) {
            spread.halves = spread.numbers() > REGISTERS;
            // Without halves new parameters are copied, in a loop.
            spread.turns += if spread.halves { 0 } else { u64::from(spread.numbers()) };
        }
        Some(spread)
    }

    /// Numbers of an owned array that a lane holds.
    pub(super) fn numbers(&self) -> u32 {
        self.blocks * self.grain
    }

    /// The rounds of a shared loop: in each, every lane takes a block.
    pub(super) fn rounds(&self, l: &Loop) -> (u32, u32) {
        let start = self.starts.get(&l.var).copied().unwrap_or(0);
        (start / self.width, (start + l.count).div_ceil(self.width))
    }

    pub(super) fn home(&self, array: Array) -> Home {
        self.homes.get(&array).copied().unwrap_or(Home::Stored)
    }

    /// Whether an array that others than its owners read lies in storage.
    pub(super) fn any_stored(&self) -> bool {
        self.homes.values().any(|h| *h == Home::Stored)
    }

    /// The pinned elements of an array.
    pub(super) fn pins(&self, array: Array) -> impl Iterator<Item = i32> + '_ {
        self.pinned.get(&array).into_iter().flatten().copied()
    }

    /// Chooses where the arrays lie.
    fn settle(&mut self, kernel: &Kernel, states: u32, private: Private, accesses: &[Access]) {
        let own = |spread: &Spread, array: Array, pins: &BTreeSet<i32>| {
            accesses.iter().filter(|a| a.array == array).all(|a| match a.turn {
                None => true,
                Some((var, _)) => {
                    a.block(spread.grain) == spread.starts.get(&var).copied() && !pins.iter().any(|&p| a.covers(p))
                }
            })
        };
        let pins = |arrays: &[Array]| -> BTreeSet<i32> {
            accesses.iter().filter(|a| a.turn.is_none() && arrays.contains(&a.array)).map(|a| a.index.offset).collect()
        };
        let lane = self.numbers();
        let (mut private, mut room) =
            (private, WORKGROUP_WORDS.saturating_sub(4 + self.sums * (self.width + self.groups)));
        let mut choose = |spread: &mut Spread, arrays: &[Array], words: u32, ownable: bool| {
            let pins = pins(arrays);
            let own = ownable && arrays.iter().all(|&a| own(spread, a, &pins));
            let home = if own && private.take(lane * arrays.len() as u32) {
                Home::Own
            } else if words <= room {
                room -= words;
                Home::Group
            } else {
                Home::Stored
            };
            for &array in arrays {
                spread.homes.insert(array, home);
                if home == Home::Own {
                    spread.pinned.insert(array, pins.clone());
                }
            }
        };
        let dim = kernel.dim;
        // An evaluation reads its parameters where they lie, and writes none.
        if accesses.iter().any(|a| a.array == Array::Next) {
            choose(self, &[Array::X, Array::Next], 2 * dim, true);
        }
        for (k, &len) in kernel.scratch.iter().enumerate() {
            choose(self, &[Array::Scratch(k as u32)], len, len == dim);
        }
        for k in 0..states {
            choose(self, &[Array::State(k)], dim, true);
        }
    }
}

fn as_loop(statement: &Statement) -> Option<&Loop> {
    match statement {
        Statement::Loop(l) => Some(l),
        _ => None,
    }
}

/// Gathers accesses; `None` where rows of data are read.
fn accessed(
    body: &[Statement],
    shared: Option<&Loop>,
    inner: &mut Vec<(LoopVar, u32)>,
    out: &mut Vec<Access>,
) -> Option<()> {
    for statement in body {
        match statement {
            Statement::Let(_, Instruction::Load(array, index)) => {
                out.push(Access::new(*array, false, *index, shared, inner));
            }
            Statement::Let(_, Instruction::Data(_) | Instruction::Picked(_)) | Statement::Pick(_) => return None,
            Statement::Let(..) => {}
            Statement::Store(array, index, _) => out.push(Access::new(*array, true, *index, shared, inner)),
            Statement::Loop(l) if l.block.is_some() => return None,
            Statement::Loop(l) => {
                inner.push((l.var, l.count));
                accessed(&l.body, shared, inner, out)?;
                inner.pop();
            }
        }
    }
    Some(())
}

/// Whether no turn of a loop touches what another turn writes.
fn turns_are_apart(var: LoopVar, accesses: &[Access]) -> bool {
    let mine: Vec<&Access> = accesses.iter().filter(|a| a.turn.is_some_and(|t| t.0 == var)).collect();
    let written: BTreeSet<Array> = mine.iter().filter(|a| a.store).map(|a| a.array).collect();
    written.iter().all(|&array| {
        let touched = || mine.iter().filter(|a| a.array == array);
        let step = touched().map(|a| a.step).next().unwrap_or(0);
        let low = touched().map(|a| a.first.0).min().unwrap_or(0);
        let high = touched().map(|a| a.first.1).max().unwrap_or(0);
        touched().all(|a| a.step == step) && high - low < step.abs()
    })
}

/// What joins the turns of each of a loop's accumulators; `None` where a turn needs what the turns before it made.
fn joined(l: &Loop) -> Option<Vec<(ValueId, Option<Binary>)>> {
    let mut uses = Uses::new();
    used(&l.body, true, &mut uses);
    for c in &l.carried {
        uses.entry(c.next).or_default().push(None);
    }
    let fold = |c: &crate::kernel::Carried| {
        let (mut at, mut op) = (c.value, None);
        loop {
            match uses.get(&at).map_or(&[][..], |u| u) {
                // The one use that is left is to be carried on.
                [None] if at == c.next => return Some((c.value, op)),
                [Some((next, with))] if at != c.next && op.is_none_or(|o| o == *with) => {
                    (at, op) = (*next, Some(*with));
                }
                _ => return None,
            }
        }
    };
    let all: Vec<_> = l.carried.iter().map(fold).collect::<Option<_>>()?;
    let joins =
        |op: Option<Binary>| op.is_none_or(|op| matches!(op, Binary::Add | Binary::Mul | Binary::Min | Binary::Max));
    all.iter().all(|f| joins(f.1)).then_some(all)
}

type Uses = HashMap<ValueId, Vec<Option<(ValueId, Binary)>>>;

/// By value, its uses: as one side of an operation that stands in the loop's own body, or another (`None`).
fn used(body: &[Statement], own: bool, uses: &mut Uses) {
    let note = |uses: &mut Uses, value: ValueId, by| uses.entry(value).or_default().push(by);
    for statement in body {
        match *statement {
            Statement::Let(value, Instruction::Binary(op, a, b)) => {
                let by = (own && a != b).then_some((value, op));
                note(uses, a, by);
                note(uses, b, by);
            }
            Statement::Let(_, ref instruction) => instruction.operands().for_each(|v| note(uses, v, None)),
            Statement::Pick(_) => {}
            Statement::Store(_, _, value) => note(uses, value, None),
            Statement::Loop(ref inner) => {
                for c in &inner.carried {
                    note(uses, c.init, None);
                    note(uses, c.next, None);
                }
                used(&inner.body, false, uses);
            }
        }
    }
}
