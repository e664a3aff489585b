//! How a spread restart is taken from storage, moved on and put back. Twin: shaders/spread.wgsl.

use super::spread::{Home, Spread};
use super::spread_print::{pinned, private, register};
use crate::kernel::{Array, Kernel};
use std::fmt::Write;

/// The arrays that last from step to step, and the buffers that keep them between dispatches: a restart's elements lie
/// together there (`Packing` of the whole dimension).
fn lasting(states: u32) -> impl Iterator<Item = (Array, String)> {
    let state = |k: u32| (Array::State(k), format!("states[({k}u * params.count + slot) * DIM + u32(i)]"));
    std::iter::once((Array::X, "xs[slot * DIM + u32(i)]".to_owned())).chain((0..states).map(state))
}

/// A loop over the places that a lane owns, where `lines` say what to do at place `i`, whose register is `at`.
fn owned(spread: &Spread, dim: u32, lines: &str) -> String {
    let (width, grain) = (spread.width, spread.grain);
    let mut text = format!("for (var at = 0; at < {}; at++) {{\n", spread.numbers());
    let _ = match grain {
        1 => writeln!(text, "    let i = at * {width} + own;"),
        _ => writeln!(text, "    let i = (at / {grain} * {width} + own) * {grain} + at % {grain};"),
    };
    let _ = write!(text, "    if (i < {dim}) {{\n{lines}    }}\n}}\n");
    text
}

/// Loads a restart.
pub(super) fn enter(spread: &Spread, kernel: &Kernel, states: u32) -> String {
    let dim = kernel.dim;
    let mut text = private(spread, |_| true);
    let (mut lines, mut pins, mut shares) = (String::new(), String::new(), false);
    for (array, stored) in lasting(states) {
        match spread.home(array) {
            Home::Own => {
                let _ = writeln!(lines, "        {}[at] = {stored};", register(array));
                for p in spread.pins(array) {
                    let _ = writeln!(pins, "{} = {};", pinned(array, p), stored.replace("u32(i)", &format!("{p}u")));
                }
            }
            Home::Group => {
                let _ = writeln!(lines, "        {}_group[i] = {stored};", register(array));
                shares = true;
            }
            Home::Stored => {}
        }
        let name = register(array);
        let _ = match (array, spread.home(array)) {
            (Array::X, Home::Group) => writeln!(text, "var here = 0u;\nvar there = {dim}u;"),
            (Array::X, Home::Stored) => {
                writeln!(text, "var here = slot * DIM;\nvar there = (params.count + slot) * DIM;")
            }
            (Array::State(k), Home::Stored) => {
                writeln!(text, "let {name}_first = ({k}u * params.count + slot) * DIM;")
            }
            _ => Ok(()),
        };
    }
    text.push_str(&scratch_first(spread, kernel, 0));
    if !lines.is_empty() {
        text.push_str(&owned(spread, dim, &lines));
    }
    text.push_str(&pins);
    if shares {
        text.push_str("workgroupBarrier();\n");
    }
    text
}

/// Where a restart's scratch arrays begin, if any lies in storage: behind rows that are kept coordinate by coordinate.
pub(super) fn scratch_first(spread: &Spread, kernel: &Kernel, rows: u32) -> String {
    match extra_rows(spread, kernel) {
        0 => String::new(),
        all => format!("let scratch_first = {rows}u * params.count + slot * {all}u;\n"),
    }
}

/// Words of `extra` that a restart's scratch arrays take.
pub(super) fn extra_rows(spread: &Spread, kernel: &Kernel) -> u32 {
    let stored = (0..kernel.scratch.len() as u32).any(|k| spread.home(Array::Scratch(k)) == Home::Stored);
    if stored { kernel.scratch.iter().sum() } else { 0 }
}

/// Makes new parameters the current ones.
pub(super) fn commit(spread: &Spread) -> String {
    let mut text = match spread.home(Array::X) == Home::Own && !spread.halves {
        true => format!("for (var at = 0; at < {}; at++) {{\n    x[at] = x_new[at];\n}}\n", spread.numbers()),
        false => "let turn = here;\nhere = there;\nthere = turn;\n".to_owned(),
    };
    for p in spread.pins(Array::X) {
        let _ = writeln!(text, "{} = {};", pinned(Array::X, p), pinned(Array::Next, p));
    }
    text
}

/// Stores a restart; `value` says whether its last value is kept.
pub(super) fn leave(spread: &Spread, dim: u32, states: u32, value: bool) -> String {
    let mut text = String::new();
    let (mut lines, mut pins, mut shares) = (String::new(), String::new(), false);
    for (array, stored) in lasting(states) {
        match (spread.home(array), array) {
            (Home::Own, _) => {
                let half = if array == Array::X && spread.halves { "here + " } else { "" };
                let _ = writeln!(lines, "        {stored} = {}[{half}at];", register(array));
                for p in spread.pins(array) {
                    // By the lane that has just stored the place with the others of its own.
                    let owner = p as u32 / spread.grain % spread.width;
                    let place = stored.replace("u32(i)", &format!("{p}u"));
                    let _ = writeln!(pins, "if (lane == {owner}u) {{\n    {place} = {};\n}}", pinned(array, p));
                }
            }
            (Home::Group, Array::X) => {
                let _ = writeln!(lines, "        {stored} = x_group[here + u32(i)];");
                shares = true;
            }
            (Home::Group, _) => {
                let _ = writeln!(lines, "        {stored} = {}_group[i];", register(array));
                shares = true;
            }
            (Home::Stored, Array::X) => {
                // Between dispatches the first half is the current one; both halves may be the same.
                let _ = writeln!(lines, "        {stored} = xs[here + u32(i)];");
                shares = true;
            }
            (Home::Stored, _) => {}
        }
    }
    if shares {
        text.push_str("storageBarrier();\nworkgroupBarrier();\n");
    }
    text.push_str(&owned(spread, dim, &lines));
    text.push_str(&pins);
    text.push_str("if (lane == 0u) {\n    status[slot] = (params.epoch << 8u) | code;\n");
    text.push_str("    status[params.count + slot] = taken;\n");
    if value {
        text.push_str("    values[LAST_VALUE * params.count + slot] = before;\n");
    }
    text.push_str("    if (code != RUNNING) {\n        atomicAdd(&queue.ended, 1u);\n    }\n}\n");
    text
}
