//! What kind of machine a shader is written for. A restart's bits depend on the kind, never on how many restarts there are.

use super::device::Device;
use crate::kernel::Kernel;

/// How restarts are laid out on a kind of device.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Target {
    /// Up to this dimension a restart may live in registers,
    straight_dim: u32,
    /// if it has no more numbers (parameters and states),
    straight_numbers: u32,
    /// if its step is not heavier than this ([`Kernel::weight`](crate::kernel::Kernel::weight)),
    pub(super) straight_limit: usize,
    /// and fits the registers, where they are few.
    registers: Option<Room>,
    /// The same of an evaluation, which is made once where steps are many.
    pub(super) evaluation_limit: usize,
    /// What an invocation may keep in private arrays.
    pub(super) private: Private,
    /// The same of a lane of a workgroup that shares a restart.
    pub(super) lane: Private,
    /// An invocation takes several restarts while they have no more coordinates, numbers and weight of a step together than this.
    abreast: (u32, u32, usize),
    /// From this dimension on a restart is spread over a workgroup that shares nothing,
    owned_from: u32,
    /// and from this on over any,
    spread_from: u32,
    /// of at most this many invocations.
    spread_width: u32,
    /// A restart that stops is frozen by selection; otherwise its invocation leaves the loop.
    pub(super) freezes: bool,
    /// Whether parameters must be hidden from the compiler ([`hidden`](super::library::hidden)).
    pub(super) hides: bool,
}

/// Room for straight code in registers.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Room {
    /// The most numbers alive at once ([`Kernel::live`](crate::kernel::Kernel::live)) where a restart could be spread,
    spread: usize,
    /// and where it could not.
    looped: usize,
    /// The most coordinates and numbers around loops.
    around_loops: (u32, u32),
}

/// Room for private arrays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Private {
    /// Numbers in all.
    numbers: u32,
    /// The sum of the squares of the arrays' lengths.
    squares: u64,
}

impl Private {
    /// Takes room for an array, if there is any.
    pub(super) fn take(&mut self, len: u32) -> bool {
        let square = u64::from(len) * u64::from(len);
        let fits = len <= self.numbers && square <= self.squares;
        if fits {
            self.numbers -= len;
            self.squares -= square;
        }
        fits
    }

    /// Whether there is room for all of these arrays.
    pub(super) fn holds(mut self, lens: impl IntoIterator<Item = u32>) -> bool {
        lens.into_iter().all(|len| self.take(len))
    }
}

/// GPUs, measured on an H100 (`benches/results/h100.md`), coordinate steps a second. Straight code against a restart spread over lanes:
/// 258 numbers alive at once 8.9e11 against 3.9e11 (Styblinski-Tang, d = 64, Adam), 3.6e11 against 3.0e11 (Rastrigin); 200 at d = 100
/// 2.4e12 against 4.3e11 (Rosenbrock, sgd). What needs more spills: 300 numbers at d = 100 by momentum 2.9e10. Against loops, where lanes
/// cannot share a restart (Griewank): 320 numbers 4.4e11 against 4.4e10, 383 numbers 1.8e10 against 3.6e10. A restart spread over 32 lanes
/// is with few restarts ten to a hundred times as fast as the others (4,000 coordinates, 100 restarts: 1.2e11 over 256 lanes, 3.6e8 in
/// storage). Every device has workgroups of 256. `benches/spread_layout.rs` compares thresholds and widths.
pub(super) const HARDWARE: Target = Target {
    straight_dim: 128,
    straight_numbers: 192,
    straight_limit: 4500,
    registers: Some(Room { spread: 270, looped: 330, around_loops: (48, 144) }),
    evaluation_limit: 1500,
    private: Private { numbers: 2048, squares: u64::MAX },
    lane: Private { numbers: 2048, squares: u64::MAX },
    abreast: (0, 0, 0),
    owned_from: 49,
    spread_from: 49,
    spread_width: 256,
    freezes: false,
    hides: false,
};

/// Mesa's rasterizer on a CPU. Measured (22.3): one small restart is a chain of dependent instructions that leaves the core idle,
/// several hide each other's latency (Styblinski-Tang, d = 2: 2.0e9 coordinate steps a second alone, 5.6e9 by eights; by Adam in ten
/// dimensions 1.4 times as much by threes as alone), and compile for as long as one that is as heavy. An
/// index that is not constant costs eight loads; a branch is taken by masks, at both sides' cost. Its compiler looks at every pair of
/// uses of a private array: Adam's arrays of 200 dimensions took 2.6 s, of 500 15 s. Storage takes 0.1 s and runs 1.1 to 3 times
/// slower. A workgroup of one vector waits for nobody: spread over 8 lanes that share nothing, the sphere by Adam ran at d = 200 as
/// fast as in private arrays and three times as fast as in storage, at d = 1,000 twice; where lanes read each other's (Rosenbrock)
/// storage was twice as fast. Over 64 lanes, whose barriers are changes of coroutines, 4 times slower at d = 300.
const SOFTWARE: Target = Target {
    straight_dim: 128,
    straight_numbers: 320,
    straight_limit: 8000,
    registers: None,
    evaluation_limit: 400,
    private: Private { numbers: 2048, squares: 2_500 },
    lane: Private { numbers: 2048, squares: 100_000 },
    abreast: (48, 96, 1200),
    owned_from: 129,
    spread_from: u32::MAX,
    spread_width: 8,
    freezes: true,
    hides: true,
};

/// Coordinates that an invocation of a spread restart has at least, as long as the workgroup is wider than a warp.
const SPREAD_SHARE: u32 = 4;
/// The narrowest workgroup of a spread restart.
const SPREAD_LEAST: u32 = 32;
/// Restarts that an invocation takes at most.
const MOST_ABREAST: u32 = 8;

impl Target {
    /// The target for a device.
    pub(super) fn of(device: &Device) -> &'static Target {
        if device.kind == "software" { &SOFTWARE } else { &HARDWARE }
    }

    /// Whether a restart of this dimension and this many numbers may be straight code.
    pub(super) fn straight(&self, dim: u32, numbers: u32) -> bool {
        dim <= self.straight_dim && numbers <= self.straight_numbers
    }

    /// Whether straight code of a step over so many numbers fits the registers, in the place of code that is spread or not.
    pub(super) fn fits(&self, kernel: &Kernel, numbers: u32, spread: bool) -> bool {
        let Some(room) = self.registers else { return true };
        match kernel.live() {
            Some(live) => live <= if spread { room.spread } else { room.looped },
            None => !spread && kernel.dim <= room.around_loops.0 && numbers <= room.around_loops.1,
        }
    }

    /// How many restarts an invocation takes, of this many coordinates and numbers each and steps of this weight.
    pub(super) fn abreast(&self, dim: u32, numbers: u32, weight: usize) -> u32 {
        let (dims, all, weights) = self.abreast;
        let by_weight = (weights / weight.max(1)) as u32;
        (dims / dim.max(1)).min(all / numbers.max(1)).min(by_weight).clamp(1, MOST_ABREAST)
    }

    /// How many invocations a restart of this dimension is spread over, if it is spread at all.
    pub(super) fn width(&self, dim: u32) -> Option<u32> {
        let least = SPREAD_LEAST.min(self.spread_width);
        let wanted = (dim / SPREAD_SHARE).max(1).next_power_of_two();
        (dim >= self.owned_from.min(self.spread_from)).then(|| wanted.clamp(least, self.spread_width))
    }

    /// The same target, which spreads all restarts of this dimension or more, to another width.
    pub(super) fn spreading(&self, from: u32, most: u32) -> Target {
        let straight_dim = self.straight_dim.min(from.saturating_sub(1));
        Target { owned_from: from, spread_from: from, spread_width: most, straight_dim, ..self.clone() }
    }

    /// Whether lanes of a restart of this dimension may share arrays.
    pub(super) fn shares(&self, dim: u32) -> bool {
        dim >= self.spread_from
    }
}
