//! Independent chains of instructions, woven into each other.
//!
//! A processor looks ahead over some hundred instructions, but few of them may wait for a result at a time. In the order that
//! uses fewest registers an elementary function's forty instructions wait for one another; this pass issues, on a
//! model of two instructions a cycle, the first in that order whose arguments are there, as long as registers suffice.

use super::code::{Base, Definition, Item, Op, Place, Two, Value};
use std::collections::HashMap;

/// How far ahead of the first instruction that waits another may be taken.
const WINDOW: usize = 160;

/// Weaves a body; at most `registers` values wait at a time.
pub(super) fn interleave(body: Vec<Item>, definitions: &[Definition], registers: usize) -> Vec<Item> {
    let mut out = Vec::with_capacity(body.len());
    let mut run = Vec::new();
    for item in body {
        match item {
            Item::Loop(mut l) => {
                out.append(&mut woven(std::mem::take(&mut run), definitions, registers));
                l.body = interleave(std::mem::take(&mut l.body), definitions, registers);
                out.push(Item::Loop(l));
            }
            item => run.push(item),
        }
    }
    out.append(&mut woven(run, definitions, registers));
    out
}

/// Half cycles until a result is there.
fn latency(op: &Op) -> u32 {
    match op {
        Op::Constant(_) | Op::Load(_) | Op::Drawn { .. } => 0,
        Op::Two(Two::Div, ..) => 22,
        Op::Sqrt(_) => 32,
        Op::Two(Two::And | Two::Or | Two::Xor | Two::AddBits | Two::SubBits | Two::MinBits, ..) | Op::Shift(..) => 2,
        Op::Choose(..) => 12,
        _ => 8,
    }
}

/// Whether a value waits in memory and not in a register.
fn is_free(op: &Op) -> bool {
    matches!(op, Op::Constant(_) | Op::Load(_) | Op::Drawn { .. } | Op::Draw { .. })
}

/// What must stand before each item of a run without loops.
struct Needs {
    before: Vec<Vec<u32>>,
    /// How many items of the run read each item's value.
    readers: Vec<u32>,
}

impl Needs {
    fn new(run: &[Item], definitions: &[Definition]) -> Needs {
        let mut maker: HashMap<Value, u32> = HashMap::new();
        let mut needs = Needs { before: vec![Vec::new(); run.len()], readers: vec![0; run.len()] };
        // Loads and stores so far, by what they may meet.
        let mut loads: HashMap<Base, Vec<(u32, Place)>> = HashMap::new();
        let mut stores: HashMap<Base, Vec<(u32, Place)>> = HashMap::new();
        let meets = |a: &Place, b: &Place| a.moves() || b.moves() || a.offset == b.offset;
        for (k, item) in run.iter().enumerate() {
            let k = k as u32;
            let mut reads: Vec<Value> = Vec::new();
            match item {
                Item::Value(value) => {
                    if let Definition::Op(op) = definitions[*value as usize] {
                        reads.extend(op.reads());
                        if let Op::Load(place) = op
                            && !place.single
                        {
                            let met = stores.get(&place.base).into_iter().flatten().filter(|s| meets(&s.1, &place));
                            needs.before[k as usize].extend(met.map(|s| s.0));
                            if !matches!(place.base, Base::X) {
                                loads.entry(place.base).or_default().push((k, place));
                            }
                        }
                    }
                    maker.insert(*value, k);
                }
                Item::Store(place, value) => {
                    reads.push(*value);
                    let met = loads.get(&place.base).into_iter().flatten().filter(|l| meets(&l.1, place));
                    needs.before[k as usize].extend(met.map(|l| l.0));
                    // A load is written where its value is first read: those readers come first, too.
                    let all = stores.entry(place.base).or_default();
                    needs.before[k as usize].extend(all.iter().filter(|s| meets(&s.1, place)).map(|s| s.0));
                    all.push((k, *place));
                }
                Item::Watch { value, .. } => reads.push(*value),
                Item::Loop(_) => {}
            }
            for read in reads {
                if let Some(&from) = maker.get(&read) {
                    needs.before[k as usize].push(from);
                    needs.readers[from as usize] += 1;
                }
            }
        }
        needs
    }
}

fn woven(run: Vec<Item>, definitions: &[Definition], registers: usize) -> Vec<Item> {
    let n = run.len();
    let Needs { before, mut readers } = Needs::new(&run, definitions);
    let op = |k: usize| match &run[k] {
        Item::Value(value) => match &definitions[*value as usize] {
            Definition::Op(op) => Some(op),
            Definition::Carried => None,
        },
        _ => None,
    };
    // When each item's result is there; none before it is issued.
    let mut there: Vec<Option<u32>> = vec![None; n];
    let (mut front, mut now, mut waiting) = (0, 0u32, 0usize);
    let mut order = Vec::with_capacity(n);
    while front < n {
        if there[front].is_some() {
            front += 1;
            continue;
        }
        let ready = |k: usize, there: &[Option<u32>]| {
            before[k].iter().map(|&b| there[b as usize]).try_fold(0, |latest, at| at.map(|at| latest.max(at)))
        };
        let reach = if waiting >= registers { front + 1 } else { (front + WINDOW).min(n) };
        let mut best: Option<(u32, usize)> = None;
        for k in front..reach {
            if there[k].is_some() {
                continue;
            }
            if let Some(at) = ready(k, &there)
                && best.is_none_or(|b| at < b.0)
            {
                best = Some((at.max(now), k));
                if at <= now {
                    break;
                }
            }
        }
        // The first item never waits for one that comes later.
        let (at, k) = best.unwrap_or((now, front));
        let free = op(k).is_none_or(is_free);
        now = at.max(now) + u32::from(!op(k).is_some_and(is_free));
        there[k] = Some(now + op(k).map_or(0, latency));
        if !free && readers[k] > 0 {
            waiting += 1;
        }
        for &b in &before[k] {
            let b = b as usize;
            let last = &mut readers[b];
            *last = last.saturating_sub(1);
            if *last == 0 && op(b).is_some_and(|op| !is_free(op)) {
                waiting = waiting.saturating_sub(1);
            }
        }
        order.push(k);
    }
    let mut slots: Vec<Option<Item>> = run.into_iter().map(Some).collect();
    order.into_iter().filter_map(|k| slots[k].take()).collect()
}
