//! What machine code and the engine tell each other: a block of memory that one register points to.

use super::twins::MOST;
use crate::cpu::tile::Line;
use crate::graph::Law;
use crate::random::philox4x32;
use std::mem::offset_of;

/// Scratch memory begins with a vector of zeros, then constants, then tables.
pub(super) const ZERO: i32 = 0;
/// First byte of the constants.
pub(super) const CONSTANTS: i32 = 64;
/// First byte of the tables; constants for which there is no room before them stand behind everything else.
pub(super) const TABLES: i32 = 4096;
/// Loop counters that have no register.
pub(super) const CURSORS: usize = 16;
/// All exceptions masked, round to nearest; and what makes arithmetic of tiny numbers as fast as any other.
const DEFAULT_CONTROL: u32 = 0x1f80;
const FLUSH_TO_ZERO: u32 = 0x8000;
const DENORMALS_ARE_ZERO: u32 = 0x0040;

/// The block. Addresses are the engine's, and hold for one call.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Frame {
    /// The tile that comes next; after an alarm the one that rang.
    pub(super) tile: usize,
    /// Behind the last tile, and the first.
    pub(super) end: usize,
    pub(super) first: usize,
    /// Bytes from a tile to its parameters before and after the step.
    pub(super) before: usize,
    pub(super) after: usize,
    /// Host scalars of the step, and the bytes to the next step's.
    pub(super) host: usize,
    pub(super) stride: usize,
    /// Steps done, and how many there will be.
    pub(super) step: u64,
    pub(super) steps: u64,
    pub(super) scratch: usize,
    pub(super) data: usize,
    /// A draw: its tag, where it goes, and its law (1 for normal).
    tag: u64,
    out: usize,
    law: u64,
    /// Functions outside.
    draw: usize,
    mend: usize,
    /// A lane-by-lane function, and the lanes that do not need it.
    function: usize,
    mask: u64,
    pub(super) key: [u32; 2],
    /// Bytes from a tile to the words of its restarts' numbers, and lanes of a vector.
    pub(super) words: usize,
    pub(super) lanes: usize,
    /// Floating-point control words: the caller's, and the code's own, which takes subnormal numbers for 0 as GPUs do.
    control: [u32; 2],
    cursors: [u64; CURSORS],
    value: Line,
    argument: Line,
    /// Lanes that rang, and why, tile by tile: the gradient's alarm, the value and the squared norm.
    pub(super) rung: [u64; MOST],
    pub(super) alarm: [Line; MOST],
    pub(super) now: [Line; MOST],
    pub(super) norm: [Line; MOST],
    saved: [Line; 32],
    masks: [u64; 8],
}

impl Frame {
    pub(super) const TILE: i32 = offset_of!(Frame, tile) as i32;
    pub(super) const END: i32 = offset_of!(Frame, end) as i32;
    pub(super) const FIRST: i32 = offset_of!(Frame, first) as i32;
    pub(super) const BEFORE: i32 = offset_of!(Frame, before) as i32;
    pub(super) const AFTER: i32 = offset_of!(Frame, after) as i32;
    pub(super) const HOST: i32 = offset_of!(Frame, host) as i32;
    pub(super) const STRIDE: i32 = offset_of!(Frame, stride) as i32;
    pub(super) const STEP: i32 = offset_of!(Frame, step) as i32;
    pub(super) const STEPS: i32 = offset_of!(Frame, steps) as i32;
    pub(super) const SCRATCH: i32 = offset_of!(Frame, scratch) as i32;
    pub(super) const DATA: i32 = offset_of!(Frame, data) as i32;
    pub(super) const TAG: i32 = offset_of!(Frame, tag) as i32;
    pub(super) const OUT: i32 = offset_of!(Frame, out) as i32;
    pub(super) const LAW: i32 = offset_of!(Frame, law) as i32;
    pub(super) const DRAW: i32 = offset_of!(Frame, draw) as i32;
    pub(super) const MEND: i32 = offset_of!(Frame, mend) as i32;
    pub(super) const FUNCTION: i32 = offset_of!(Frame, function) as i32;
    pub(super) const MASK: i32 = offset_of!(Frame, mask) as i32;
    pub(super) const CONTROL: i32 = offset_of!(Frame, control) as i32;
    pub(super) const OWN_CONTROL: i32 = Self::CONTROL + 4;
    pub(super) const CURSOR: i32 = offset_of!(Frame, cursors) as i32;
    pub(super) const VALUE: i32 = offset_of!(Frame, value) as i32;
    pub(super) const ARGUMENT: i32 = offset_of!(Frame, argument) as i32;
    pub(super) const RUNG: i32 = offset_of!(Frame, rung) as i32;
    pub(super) const ALARM: i32 = offset_of!(Frame, alarm) as i32;
    pub(super) const NOW: i32 = offset_of!(Frame, now) as i32;
    pub(super) const NORM: i32 = offset_of!(Frame, norm) as i32;
    pub(super) const SAVED: i32 = offset_of!(Frame, saved) as i32;
    pub(super) const MASKS: i32 = offset_of!(Frame, masks) as i32;

    pub(super) fn new(key: [u32; 2], words: usize, lanes: usize) -> Frame {
        Frame {
            tile: 0,
            end: 0,
            first: 0,
            before: 0,
            after: 0,
            host: 0,
            stride: 0,
            step: 0,
            steps: 0,
            scratch: 0,
            data: 0,
            tag: 0,
            out: 0,
            law: 0,
            draw: draw as *const () as usize,
            mend: mend as *const () as usize,
            function: 0,
            mask: 0,
            key,
            words,
            lanes,
            control: [0, DEFAULT_CONTROL | FLUSH_TO_ZERO | DENORMALS_ARE_ZERO],
            cursors: [0; CURSORS],
            value: Line::default(),
            argument: Line::default(),
            rung: [0; MOST],
            alarm: [Line::default(); MOST],
            now: [Line::default(); MOST],
            norm: [Line::default(); MOST],
            saved: [Line::default(); 32],
            masks: [0; 8],
        }
    }
}

/// Computes the lanes that the vector code could not.
///
/// # Safety
/// Called by machine code alone, with its frame.
unsafe extern "sysv64" fn mend(frame: *mut Frame) {
    // SAFETY: machine code passes its own frame, which nothing else uses during a call.
    let frame = unsafe { &mut *frame };
    // SAFETY: the address is that of a function which was recorded as `fn(f32) -> f32`.
    let function = unsafe { std::mem::transmute::<usize, fn(f32) -> f32>(frame.function) };
    for lane in (0..frame.lanes).filter(|lane| frame.mask >> lane & 1 == 0) {
        frame.value.0[lane] = function(frame.argument.0[lane]);
    }
}

/// Four draws of every lane, from its own Philox block.
///
/// # Safety
/// Called by machine code alone, with its frame.
unsafe extern "sysv64" fn draw(frame: *mut Frame) {
    // SAFETY: machine code passes its own frame, which nothing writes to during a call.
    let frame = unsafe { &*frame };
    // SAFETY: `tile` is a tile of the call, whose words lie `words` bytes behind it.
    let words = unsafe { std::slice::from_raw_parts((frame.tile + frame.words) as *const u32, 2 * frame.lanes) };
    // SAFETY: `out` has room for four vectors in scratch memory.
    let out = unsafe { std::slice::from_raw_parts_mut(frame.out as *mut f32, 4 * frame.lanes) };
    let law = if frame.law == 1 { Law::Normal } else { Law::Uniform };
    let lanes = frame.lanes;
    for lane in 0..lanes {
        let counter = [words[lane], words[lanes + lane], frame.step as u32 + 1, frame.tag as u32];
        let four = <f32 as super::super::lane::Lane>::draw(law, philox4x32(counter, frame.key));
        for (k, v) in four.into_iter().enumerate() {
            out[k * lanes + lane] = v;
        }
    }
}
