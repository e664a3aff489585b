//! Which values are not finite where others are not: sums and products, and quotients of what is not finite, never are finite.

use super::{Instruction, Statement, ValueId};
use crate::graph::{Binary, Unary};
use std::collections::{HashMap, HashSet};

/// By value, one of the `roots` that it is not finite with.
pub fn carried(body: &[Statement], roots: &HashSet<ValueId>) -> HashMap<ValueId, ValueId> {
    let mut carries = HashMap::new();
    follow(body, roots, &mut carries);
    carries
}

fn follow(body: &[Statement], roots: &HashSet<ValueId>, carries: &mut HashMap<ValueId, ValueId>) {
    for statement in body {
        match statement {
            Statement::Let(value, _) if roots.contains(value) => {
                carries.insert(*value, *value);
            }
            Statement::Let(value, instruction) => {
                let of = |v: &ValueId| carries.get(v).copied();
                let from = match instruction {
                    Instruction::Unary(Unary::Neg, a) | Instruction::Binary(Binary::Div, a, _) => of(a),
                    Instruction::Binary(Binary::Add | Binary::Sub | Binary::Mul, a, b) => of(a).or_else(|| of(b)),
                    Instruction::Fused(_, a, b, c) => of(a).or_else(|| of(b)).or_else(|| of(c)),
                    Instruction::Select(_, a, b) => of(a).filter(|&a| of(b) == Some(a)),
                    _ => None,
                };
                carries.extend(from.map(|from| (*value, from)));
            }
            Statement::Loop(l) => follow(&l.body, roots, carries),
            Statement::Store(..) | Statement::Pick(_) => {}
        }
    }
}
