//! The GPU engine: kernels as WGSL, many steps a dispatch, restarts in chunks that fit the device.

mod buffers;
mod cache;
mod compile;
mod crowd;
mod descent;
mod device;
mod engine;
mod fit;
mod fit_shader;
mod harvest;
mod launch;
mod library;
mod pace;
mod print;
mod registers;
mod shader;
mod spread;
mod spread_descent;
mod spread_print;
mod submission;
mod target;
#[cfg(test)]
mod tests;

pub(crate) use device::find;
pub use device::{Device, DeviceLimits, devices};
pub(crate) use engine::GpuEngine;

use crate::error::Error;
use crate::fit::{BatchedFit, RowCode};
use crate::plan::Plan;

/// The generated shader of a plan's first program and configuration: what runs on every step, with the library functions
/// that it uses, as a hardware GPU gets it.
///
/// # Errors
/// [`Error::TooLarge`] where no kernel form can take the formula.
pub fn wgsl(plan: &Plan) -> Result<String, Error> {
    let program = &plan.programs()[0];
    Ok(descent::descent(plan, program, &program.configurations[..1], &target::HARDWARE)?.text)
}

/// Layout and shader of a plan's first program where restarts of `from` or more dimensions are spread over workgroups of
/// at most `width` invocations.
pub(crate) fn spread_text(plan: &Plan, from: u32, width: u32) -> Result<(&'static str, String), Error> {
    let (program, target) = (&plan.programs()[0], target::HARDWARE.spreading(from, width));
    let shader = descent::descent(plan, program, &program.configurations[..1], &target)?;
    Ok((shader.layout.name(), shader.text))
}

/// The generated shader of a batched fit.
///
/// # Errors
/// [`Error::TooLarge`] and [`Error::ConstantOutOfRange`] where the model cannot be compiled.
pub fn fit_wgsl(fit: &BatchedFit<'_>) -> Result<String, Error> {
    Ok(fit_shader::fit_shader(fit, &RowCode::new(fit.residuals, fit.roots.is_some())?).text)
}
