//! Which gradients need no alarm: where one that is not finite makes a new parameter so, the parameter's alarm tells of both.

use crate::graph::Unary;
use crate::kernel::{Array, Instruction, Kernel, Statement, ValueId, carried};
use std::collections::HashSet;

/// A step that is longer than this for each gradient is not worth a second kernel.
const SHORT: usize = 24;

/// What tells gradients that are not finite from parameters that are, once the alarm has rung: the kernel cut down to its
/// largest gradient. `None` where a gradient needs an alarm of its own. `cones` hold what only finds the largest parameter
/// and the largest gradient.
pub(super) fn gradients_alone(kernel: &Kernel, cones: &[HashSet<ValueId>; 2]) -> Option<Kernel> {
    let [parameters, gradients] = cones.each_ref().map(|cone| {
        let mut leaves = HashSet::new();
        magnitudes(&kernel.body, cone, &mut leaves);
        leaves
    });
    if gradients.is_empty() || kernel.len() > SHORT * gradients.len() {
        return None;
    }
    let carries = carried(&kernel.body, &gradients);
    let told: HashSet<ValueId> = parameters.iter().filter_map(|p| carries.get(p).copied()).collect();
    if !gradients.iter().all(|g| told.contains(g)) {
        return None;
    }
    let mut alone = kernel.clone();
    let largest = kernel.scalars[1];
    alone.scalars = vec![largest; 2];
    drop_stores(&mut alone.body);
    alone.prune();
    // States have changed when the alarm rings.
    (!reads_states(&alone.body)).then_some(alone)
}

/// The values whose magnitudes enter a cone.
fn magnitudes(body: &[Statement], cone: &HashSet<ValueId>, leaves: &mut HashSet<ValueId>) {
    for statement in body {
        match statement {
            Statement::Let(value, Instruction::Unary(Unary::Magnitude, a)) if cone.contains(value) => {
                leaves.insert(*a);
            }
            Statement::Loop(l) => magnitudes(&l.body, cone, leaves),
            _ => {}
        }
    }
}

fn drop_stores(body: &mut Vec<Statement>) {
    body.retain_mut(|statement| match statement {
        Statement::Store(array, ..) => matches!(array, Array::Scratch(_)),
        Statement::Loop(l) => {
            drop_stores(&mut l.body);
            true
        }
        _ => true,
    });
}

fn reads_states(body: &[Statement]) -> bool {
    body.iter().any(|statement| match statement {
        Statement::Let(_, Instruction::Load(array, _)) => matches!(array, Array::State(_) | Array::Next),
        Statement::Loop(l) => reads_states(&l.body),
        _ => false,
    })
}
