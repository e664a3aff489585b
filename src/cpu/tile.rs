//! Tiles: the memory of a few restarts that take their steps side by side, and what running them needs and tells.

use super::lane::Lane;

/// Numbers of the widest vector.
const LANES: usize = 16;

/// A vector of the widest kind.
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
pub(crate) struct Line(pub(crate) [f32; LANES]);

/// Where a tile keeps what: counts of vectors from its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TileLayout {
    /// Coordinates.
    pub(crate) dim: usize,
    /// State slots, `dim` vectors each, behind the two arrays of parameters.
    pub(crate) states: usize,
    /// Hyperparameters drawn for each restart, behind the states.
    pub(crate) drawn: usize,
    /// Whether a gradient is given out.
    pub(crate) gradient: bool,
    /// Whether converged restarts are put down in the tile, without leaving the code.
    pub(crate) puts_down: bool,
}

impl TileLayout {
    /// First vector of state slot `k`.
    #[inline]
    pub(crate) fn state(&self, k: usize) -> usize {
        (2 + k) * self.dim
    }
    /// First vector of the drawn hyperparameters.
    #[inline]
    pub(crate) fn drawn(&self) -> usize {
        self.state(self.states)
    }
    /// First vector of the gradient.
    #[inline]
    pub(crate) fn gradient(&self) -> usize {
        self.drawn() + self.drawn
    }
    /// Two vectors of scalar outputs: value and squared gradient norm.
    #[inline]
    pub(crate) fn outputs(&self) -> usize {
        self.gradient() + if self.gradient { self.dim } else { 0 }
    }
    /// The value one step ago.
    #[inline]
    pub(crate) fn last(&self) -> usize {
        self.outputs() + 2
    }
    /// First vector of the points where restarts converged; the steps they took stand behind.
    #[inline]
    pub(crate) fn ends(&self) -> usize {
        self.last() + 1
    }
    /// Low and high words of the restarts' numbers, then one bit a lane that runs.
    #[inline]
    pub(crate) fn words(&self) -> usize {
        self.ends() + if self.puts_down { self.dim + 1 } else { 0 }
    }
    /// Vectors of a tile: an even number, so that tiles of 256-bit vectors begin at 64 bytes.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        (self.words() + 3).next_multiple_of(2)
    }
}

impl TileLayout {
    /// The numbers of a row.
    #[inline]
    pub(crate) fn row(&self, row: usize, lanes: usize) -> std::ops::Range<usize> {
        row * lanes..(row + 1) * lanes
    }

    /// The number of a lane's restart.
    #[inline]
    pub(crate) fn id<F: Lane>(&self, tile: &[F], lanes: usize, lane: usize) -> u64 {
        let words: &[u32] = bytemuck::cast_slice(&tile[self.words() * lanes..][..2 * lanes]);
        u64::from(words[lane]) | u64::from(words[lanes + lane]) << 32
    }

    /// Gives a lane to a restart.
    #[inline]
    pub(crate) fn set_id<F: Lane>(&self, tile: &mut [F], lanes: usize, lane: usize, id: u64) {
        let words: &mut [u32] = bytemuck::cast_slice_mut(&mut tile[self.words() * lanes..][..2 * lanes]);
        words[lane] = id as u32;
        words[lanes + lane] = (id >> 32) as u32;
    }

    /// Gives all lanes to restarts.
    #[inline]
    pub(crate) fn set_ids<F: Lane>(&self, tile: &mut [F], lanes: usize, id: impl Fn(usize) -> u64) {
        let words: &mut [u32] = bytemuck::cast_slice_mut(&mut tile[self.words() * lanes..][..2 * lanes]);
        let (low, high) = words.split_at_mut(lanes);
        for (lane, (low, high)) in low.iter_mut().zip(high).enumerate() {
            let id = id(lane);
            *low = id as u32;
            *high = (id >> 32) as u32;
        }
    }

    /// One bit for each lane that runs.
    #[inline]
    pub(crate) fn alive<'a, F: Lane>(&self, tile: &'a mut [F], lanes: usize) -> &'a mut [u64] {
        bytemuck::cast_slice_mut(&mut tile[self.row(self.words() + 2, lanes)])
    }

    /// The same of a tile that is only read.
    #[inline]
    pub(crate) fn alive_of<'a, F: Lane>(&self, tile: &'a [F], lanes: usize) -> &'a [u64] {
        bytemuck::cast_slice(&tile[self.row(self.words() + 2, lanes)])
    }

    /// One bit for each lane whose restart was put down: of code that runs at most 64 lanes.
    #[inline]
    pub(crate) fn put_down<'a, F: Lane>(&self, tile: &'a mut [F], lanes: usize) -> &'a mut u64 {
        &mut self.alive(tile, lanes)[1]
    }

    /// Whether a lane runs.
    #[inline]
    pub(crate) fn runs<F: Lane>(&self, tile: &[F], lanes: usize, lane: usize) -> bool {
        self.alive_of(tile, lanes)[lane / 64] >> (lane % 64) & 1 == 1
    }

    /// The lanes that run.
    #[inline]
    pub(crate) fn running<'a, F: Lane>(&'a self, tile: &'a [F], lanes: usize) -> impl Iterator<Item = usize> + 'a {
        (0..lanes).filter(move |&lane| self.runs(tile, lanes, lane))
    }
}

/// What a program does behind its kernel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Task {
    /// Steps: watches for blow-ups, and for reasons to stop.
    Descend {
        /// Largest squared gradient norm of a converged restart.
        gradient_squared: Option<f64>,
        /// The value that is aimed at.
        target: Option<f64>,
        /// Largest change of a stalled restart's value.
        change: Option<f64>,
        /// Whether the kernel gives out the value.
        value: bool,
    },
    /// Evaluates once; scalar outputs go to the tile.
    Evaluate,
}

/// What a call runs over.
pub(crate) struct Work<'a, F> {
    /// Tiles, one after the other.
    pub(crate) tiles: &'a mut [Line],
    /// Which of the two parameter arrays is before the first step.
    pub(crate) flip: usize,
    /// Host scalars: `stride` for each step, or the same for all where it is 0.
    pub(crate) host: &'a [F],
    pub(crate) stride: usize,
    /// Steps done, and how many are to be done then.
    pub(crate) step: u64,
    pub(crate) steps: u64,
}

/// What rang: a tile whose lanes want to be looked at.
pub(crate) struct Ring<'a, F> {
    /// Which tile of those that were given.
    pub(crate) tile: usize,
    /// Steps done before the one under way.
    pub(crate) step: u64,
    /// Everything that is the tile's.
    pub(crate) rows: &'a mut [F],
    /// Running lanes that rang, a bit each.
    pub(crate) lanes: [u64; 4],
    /// Vectors before the parameters before the step and after it.
    pub(crate) before: usize,
    pub(crate) after: usize,
    /// NaN (or the largest magnitude) where a gradient is not finite.
    pub(crate) gradient: &'a [F],
    /// The value before the step.
    pub(crate) value: &'a [F],
    /// The squared gradient norm before the step.
    pub(crate) norm: &'a [F],
}

/// Lines that tiles take.
pub(crate) fn lines<F: Lane>(layout: &TileLayout, lanes: usize, count: usize) -> usize {
    (layout.len() * lanes * size_of::<F>() * count).div_ceil(size_of::<Line>())
}
