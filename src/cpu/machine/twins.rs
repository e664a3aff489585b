//! Neighbouring tiles side by side: where one tile has too few independent chains, two or four have enough.

use super::code::{Base, Definition, Item, Op, Place, Test, Value};
use std::collections::HashMap;

/// The most tiles that go together.
pub(super) const MOST: usize = 4;
/// As many items as the processor looks ahead over, about.
const ENOUGH: usize = 300;

/// How many tiles go together; 1 where there are loops, or draws, which know of one tile.
pub(super) fn wanted(body: &[Item], definitions: &[Definition], registers: u8) -> usize {
    let draws = |value: &Value| matches!(definitions[*value as usize], Definition::Op(Op::Draw { .. }));
    let alone = |item: &Item| match item {
        Item::Loop(_) => true,
        Item::Value(value) => draws(value),
        Item::Store(place, _) => place.base == Base::Scratch,
        Item::Watch { .. } => false,
    };
    if body.iter().any(alone) {
        return 1;
    }
    let most = if registers == 32 { MOST } else { 2 };
    [4, 2].into_iter().find(|n| *n <= most && n * body.len() <= ENOUGH).unwrap_or(1)
}

/// Adds the body of the next `count - 1` tiles, `bytes` apart, and gives the outputs of all tiles.
pub(super) fn add(
    definitions: &mut Vec<Definition>,
    body: &mut Vec<Item>,
    outputs: &[Value],
    bytes: i32,
    count: usize,
) -> Vec<Vec<Value>> {
    let mut all = vec![outputs.to_vec()];
    let own = body.clone();
    for tile in 1..count {
        let shift = |place: Place| match place.base {
            Base::X | Base::Next | Base::Tile => Place { offset: place.offset + bytes * tile as i32, ..place },
            Base::Host | Base::Scratch | Base::Data => place,
        };
        let mut twin: HashMap<Value, Value> = HashMap::new();
        let at = |twin: &HashMap<Value, Value>, value: Value| twin.get(&value).copied().unwrap_or(value);
        for item in &own {
            match *item {
                Item::Value(value) => {
                    let Definition::Op(op) = definitions[value as usize] else { continue };
                    let op = match op {
                        // What all tiles share.
                        Op::Constant(_) => continue,
                        Op::Load(place) if shift(place) == place => continue,
                        Op::Load(place) => Op::Load(shift(place)),
                        op => renamed(op, |value| at(&twin, value)),
                    };
                    definitions.push(Definition::Op(op));
                    let new = definitions.len() as Value - 1;
                    twin.insert(value, new);
                    body.push(Item::Value(new));
                }
                Item::Store(place, value) => body.push(Item::Store(shift(place), at(&twin, value))),
                Item::Watch { alarm, value, .. } => {
                    body.push(Item::Watch { alarm, tile: tile as u8, value: at(&twin, value) });
                }
                Item::Loop(_) => {}
            }
        }
        all.push(outputs.iter().map(|&output| at(&twin, output)).collect());
    }
    all
}

fn renamed(op: Op, of: impl Fn(Value) -> Value) -> Op {
    let test = |test: Test| match test {
        Test::Numbers(predicate, a, b) => Test::Numbers(predicate, of(a), of(b)),
        Test::Zero(a) => Test::Zero(of(a)),
        Test::Mask(a) => Test::Mask(of(a)),
    };
    match op {
        Op::Constant(_) | Op::Load(_) | Op::Draw { .. } => op,
        Op::Two(two, a, b) => Op::Two(two, of(a), of(b)),
        Op::Fused(fused, a, b, c) => Op::Fused(fused, of(a), of(b), of(c)),
        Op::Sqrt(a) => Op::Sqrt(of(a)),
        Op::Convert(a) => Op::Convert(of(a)),
        Op::Shift(shift, a, by) => Op::Shift(shift, of(a), by),
        Op::Third(a) => Op::Third(of(a)),
        Op::Test(t) => Op::Test(test(t)),
        Op::Choose(t, yes, no) => Op::Choose(test(t), of(yes), of(no)),
        Op::Rare { value, usual, argument, function } => {
            Op::Rare { value: of(value), usual: test(usual), argument: of(argument), function }
        }
        Op::Drawn { draw, place } => Op::Drawn { draw: of(draw), place },
    }
}
