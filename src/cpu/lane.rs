//! A lane's number type, and the vector instructions that a loop over lanes is compiled for.

use super::program::Program;
use super::real::FusedReal;
use super::tile::{Line, Task, TileLayout};
use crate::graph::{Binary, LaneLoop, Law, Unary};
use crate::kernel::Kernel;
use crate::outcome::Column;
use crate::random::{normal_pair, normal_pair_f64, uniform};

/// How many lanes one turn of an inner loop takes.
pub(crate) const CHUNK: usize = 32;

/// `f32` or `f64`.
pub(crate) trait Lane: bytemuck::Pod + Default + PartialOrd + Send + Sync + std::fmt::Debug {
    /// From the host's number.
    fn of(value: f64) -> Self;
    /// To the host's number.
    fn to(self) -> f64;
    /// From a start.
    fn from_start(value: f32) -> Self;
    /// The square root.
    fn root(self) -> Self;
    /// One operator over a chunk, its inner products and sums fused where `FUSE`.
    fn unary<const FUSE: bool>(op: Unary, a: &[Self; CHUNK], out: &mut [Self; CHUNK]);
    /// Gives `with` the operator's function.
    fn binary<const FUSE: bool, L: LaneLoop<Self>>(op: Binary, with: L);
    /// `self·b + c`, rounded once.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// `-self`
    fn negated(self) -> Self;
    /// Four draws from four words.
    fn draw(law: Law, words: [u32; 4]) -> [Self; 4];
    /// Numbers as a column.
    fn column(values: Vec<Self>) -> Column;
    /// The kernel as machine code, where this number type and the machine have it.
    fn machine(kernel: &Kernel, layout: &TileLayout, width: Width, task: Task) -> Option<Box<dyn Program<Self>>>;
    /// Whether machine code puts converged restarts down itself: where nothing but the gradient's norm stops them.
    fn puts_down(width: Width, task: Task) -> bool;
    /// Memory as numbers.
    fn numbers(lines: &[Line]) -> &[Self] {
        bytemuck::cast_slice(lines)
    }
    /// Memory as numbers.
    fn numbers_mut(lines: &mut [Line]) -> &mut [Self] {
        bytemuck::cast_slice_mut(lines)
    }
}

impl Lane for f32 {
    fn of(value: f64) -> f32 {
        value as f32
    }
    fn to(self) -> f64 {
        f64::from(self)
    }
    fn from_start(value: f32) -> f32 {
        value
    }
    fn root(self) -> f32 {
        self.sqrt()
    }
    #[inline(always)]
    fn unary<const FUSE: bool>(op: Unary, a: &[f32; CHUNK], out: &mut [f32; CHUNK]) {
        if FUSE {
            op.lanes32(FusedReal::of_all(a), FusedReal::of_all_mut(out));
        } else {
            op.lanes32(a, out);
        }
    }
    #[inline(always)]
    fn binary<const FUSE: bool, L: LaneLoop<f32>>(op: Binary, with: L) {
        if FUSE {
            op.lanes32::<FusedReal, L>(with);
        } else {
            op.lanes32::<f32, L>(with);
        }
    }
    #[inline(always)]
    fn mul_add(self, b: f32, c: f32) -> f32 {
        f32::mul_add(self, b, c)
    }
    #[inline(always)]
    fn negated(self) -> f32 {
        -self
    }
    #[inline(always)]
    fn draw(law: Law, words: [u32; 4]) -> [f32; 4] {
        match law {
            Law::Uniform => words.map(uniform),
            Law::Normal => {
                let ((a, b), (c, d)) = (normal_pair(words[0], words[1]), normal_pair(words[2], words[3]));
                [a, b, c, d]
            }
        }
    }
    fn column(values: Vec<f32>) -> Column {
        Column::F32(values)
    }
    fn machine(kernel: &Kernel, layout: &TileLayout, width: Width, task: Task) -> Option<Box<dyn Program<f32>>> {
        super::program::machine(kernel, layout, width, task)
    }
    fn puts_down(width: Width, task: Task) -> bool {
        width.has_masks()
            && matches!(task, Task::Descend { gradient_squared: Some(_), target: None, change: None, value: false })
    }
}

impl Lane for f64 {
    fn of(value: f64) -> f64 {
        value
    }
    fn to(self) -> f64 {
        self
    }
    fn from_start(value: f32) -> f64 {
        f64::from(value)
    }
    fn root(self) -> f64 {
        self.sqrt()
    }
    #[inline(always)]
    fn unary<const FUSE: bool>(op: Unary, a: &[f64; CHUNK], out: &mut [f64; CHUNK]) {
        op.lanes64(a, out);
    }
    #[inline(always)]
    fn binary<const FUSE: bool, L: LaneLoop<f64>>(op: Binary, with: L) {
        op.lanes64(with);
    }
    #[inline(always)]
    fn mul_add(self, b: f64, c: f64) -> f64 {
        f64::mul_add(self, b, c)
    }
    #[inline(always)]
    fn negated(self) -> f64 {
        -self
    }
    #[inline(always)]
    fn draw(law: Law, words: [u32; 4]) -> [f64; 4] {
        match law {
            Law::Uniform => words.map(|w| f64::from(uniform(w))),
            Law::Normal => {
                let ((a, b), (c, d)) = (normal_pair_f64(words[0], words[1]), normal_pair_f64(words[2], words[3]));
                [a, b, c, d]
            }
        }
    }
    fn column(values: Vec<f64>) -> Column {
        Column::F64(values)
    }
    fn machine(_: &Kernel, _: &TileLayout, _: Width, _: Task) -> Option<Box<dyn Program<f64>>> {
        None
    }
    fn puts_down(_: Width, _: Task) -> bool {
        false
    }
}

/// The widest vector instructions of this machine; the results are the same bits at every width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// What every machine of this architecture has.
    Baseline,
    /// 256 bits.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 512 bits.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// What machine code and the tape take of AVX2.
#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

/// What they take of AVX-512.
#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    let has = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl");
    has && is_x86_feature_detected!("avx512dq") && has_avx2()
}

/// Whether products and sums are rounded once on this machine: wherever vectors have an instruction for it, for elsewhere
/// it would be a call that takes a hundred times as long. (So it is where narrower vectors were asked for, whose bits are
/// to be the same.)
pub(crate) fn fuses() -> bool {
    #[cfg(target_arch = "x86_64")]
    return has_avx2();
    #[cfg(not(target_arch = "x86_64"))]
    cfg!(target_arch = "aarch64")
}

impl Width {
    /// Looks at the machine; `CATCHMENT_SIMD=baseline|avx2` asks for less.
    pub(crate) fn detect() -> Width {
        #[cfg(target_arch = "x86_64")]
        {
            let asked = std::env::var("CATCHMENT_SIMD").unwrap_or_default();
            if asked == "baseline" {
                return Width::Baseline;
            }
            if asked != "avx2" && has_avx512() {
                return Width::Avx512;
            }
            if has_avx2() {
                return Width::Avx2;
            }
        }
        Width::Baseline
    }

    /// Whether vectors are stored under masks.
    pub(crate) fn has_masks(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return self == Width::Avx512;
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    /// Those that this machine has, the narrowest first.
    #[cfg(test)]
    pub(crate) fn all() -> Vec<Width> {
        let mut all = vec![Width::Baseline];
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(has_avx2().then_some(Width::Avx2));
            all.extend(has_avx512().then_some(Width::Avx512));
        }
        all
    }

    /// As it is told to a person.
    pub(crate) fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Width::Baseline => "SSE2",
            #[cfg(not(target_arch = "x86_64"))]
            Width::Baseline => "128-bit SIMD",
            #[cfg(target_arch = "x86_64")]
            Width::Avx2 => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Width::Avx512 => "AVX-512",
        }
    }
}
