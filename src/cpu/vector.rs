//! Runs a piece of work compiled for the widest vector instructions of this machine.

use super::lane::Width;

/// Work whose loops vectorise; `run` must be `#[inline(always)]`.
pub(crate) trait Vectorised {
    /// Does it.
    fn run(self);
}

/// Runs the work at this width.
pub(crate) fn vectorised<T: Vectorised>(width: Width, task: T) {
    match width {
        Width::Baseline => task.run(),
        // SAFETY: `Width::detect` saw the feature on this machine.
        #[cfg(target_arch = "x86_64")]
        Width::Avx2 => unsafe { with_avx2(task) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Width::Avx512 => unsafe { with_avx512(task) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn with_avx2<T: Vectorised>(task: T) {
    task.run();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl")]
fn with_avx512<T: Vectorised>(task: T) {
    task.run();
}
