//! Contraction: a product that is only added or subtracted becomes part of the sum, with one rounding for both.

use super::{Fused, Instruction, Kernel, Statement, ValueId};
use crate::graph::Binary;
use std::collections::HashMap;

/// Makes `a·b + c` one instruction, wherever a product is read by sums of its own body alone; what then is read by nothing
/// goes. Which products are taken depends on the kernel and on nothing else.
pub fn contract(kernel: &mut Kernel) {
    let mut uses = vec![0; kernel.types.len()];
    count(&kernel.body, &mut uses);
    for &scalar in &kernel.scalars {
        uses[scalar as usize] += 1;
    }
    contract_body(&mut kernel.body, &uses);
    kernel.prune();
}

fn count(body: &[Statement], uses: &mut [u32]) {
    for statement in body {
        match statement {
            Statement::Let(_, instruction) => instruction.operands().for_each(|v| uses[v as usize] += 1),
            Statement::Store(_, _, value) => uses[*value as usize] += 1,
            Statement::Pick(_) => {}
            Statement::Loop(l) => {
                for c in &l.carried {
                    uses[c.init as usize] += 1;
                    uses[c.next as usize] += 1;
                }
                count(&l.body, uses);
            }
        }
    }
}

fn contract_body(body: &mut [Statement], uses: &[u32]) {
    // Where this body's products are, and the sums that read them.
    let mut products: HashMap<ValueId, (usize, [ValueId; 2])> = HashMap::new();
    let mut sums: HashMap<ValueId, Vec<usize>> = HashMap::new();
    for (k, statement) in body.iter_mut().enumerate() {
        match statement {
            Statement::Let(value, Instruction::Binary(Binary::Mul, a, b)) => {
                products.insert(*value, (k, [*a, *b]));
            }
            Statement::Let(_, Instruction::Binary(Binary::Add | Binary::Sub, a, b)) if a != b => {
                for v in [*a, *b] {
                    if products.contains_key(&v) {
                        sums.entry(v).or_default().push(k);
                    }
                }
            }
            Statement::Loop(l) => contract_body(&mut l.body, uses),
            _ => {}
        }
    }
    // Of two products under one sum the later is fused: its factors are there last.
    let mut order: Vec<(usize, ValueId)> = products.iter().map(|(&value, &(k, _))| (k, value)).collect();
    order.sort_unstable_by(|a, b| b.cmp(a));
    for (_, product) in order {
        let Some(readers) = sums.get(&product) else { continue };
        let free = |&k: &usize| matches!(body[k], Statement::Let(_, Instruction::Binary(..)));
        if readers.len() as u32 != uses[product as usize] || !readers.iter().all(free) {
            continue;
        }
        let [a, b] = products[&product].1;
        for &k in readers {
            if let Statement::Let(_, instruction) = &mut body[k]
                && let Instruction::Binary(op, left, right) = *instruction
            {
                let (fused, rest) = match (op, left == product) {
                    (Binary::Add, true) => (Fused::Add, right),
                    (Binary::Add, false) => (Fused::Add, left),
                    (_, true) => (Fused::Subtract, right),
                    (_, false) => (Fused::SubtractFrom, left),
                };
                *instruction = Instruction::Fused(fused, a, b, rest);
            }
        }
    }
}
