//! What goes to the device together: dispatches, each with its parameters, and what is copied for the host behind them.

use super::buffers::{Buffers, Params};
use super::compile::Module;
use super::device::Gpu;

/// Bytes from one dispatch's parameters to the next's: WebGPU's largest alignment of a uniform.
const STRIDE: u64 = 256;
/// Dispatches of a submission at most.
const MOST: u64 = 8;
/// Bytes of their parameters.
pub(super) const PARAMS_BYTES: u64 = STRIDE * MOST;

/// Words of a buffer: where they begin, and how many.
pub(super) type Range<'a> = (&'a wgpu::Buffer, u64, u64);

/// Dispatches that have not been submitted yet.
#[derive(Debug)]
pub(super) struct Submission<'a> {
    gpu: &'a Gpu,
    buffers: &'a Buffers,
    dispatches: Vec<(Module, wgpu::BindGroup, u32)>,
    params: Vec<u8>,
}

impl<'a> Submission<'a> {
    /// None so far, over these buffers.
    pub(super) fn new(gpu: &'a Gpu, buffers: &'a Buffers) -> Submission<'a> {
        Submission { gpu, buffers, dispatches: Vec::new(), params: Vec::new() }
    }

    /// Adds a dispatch, which sees what those before it have written.
    pub(super) fn add(&mut self, module: &Module, bindings: &wgpu::BindGroup, params: &Params, invocations: u32) {
        if self.dispatches.len() as u64 == MOST {
            self.submit(&[]);
        }
        self.dispatches.push((module.clone(), bindings.clone(), invocations));
        self.params.extend_from_slice(bytemuck::bytes_of(params));
        self.params.resize(STRIDE as usize * self.dispatches.len(), 0);
    }

    /// Submits the dispatches, then the copies: each the ranges that follow each other in a buffer.
    pub(super) fn submit(&mut self, copies: &[(&[Range<'_>], &wgpu::Buffer)]) -> wgpu::SubmissionIndex {
        let gpu = self.gpu;
        if !self.params.is_empty() {
            gpu.queue.write_buffer(&self.buffers.params, 0, &self.params);
        }
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        if !self.dispatches.is_empty() {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for ((module, bindings, invocations), at) in self.dispatches.iter().zip(0..) {
                dispatch(gpu, &mut pass, module, bindings, &[at * STRIDE as u32], *invocations);
            }
        }
        for (ranges, room) in copies {
            copy(&mut encoder, ranges, room);
        }
        self.dispatches.clear();
        self.params.clear();
        gpu.queue.submit([encoder.finish()])
    }
}

/// Dispatches so many invocations, 64 a workgroup.
pub(super) fn dispatch(
    gpu: &Gpu,
    pass: &mut wgpu::ComputePass<'_>,
    module: &Module,
    bindings: &wgpu::BindGroup,
    offsets: &[u32],
    invocations: u32,
) {
    pass.set_pipeline(&module.pipeline);
    pass.set_bind_group(0, bindings, offsets);
    let groups = invocations.div_ceil(64);
    let across = groups.min(gpu.about.limits.workgroups.min(65_535)).max(1);
    pass.dispatch_workgroups(across, groups.div_ceil(across), 1);
}

/// Copies ranges of buffers one behind the other.
pub(super) fn copy(encoder: &mut wgpu::CommandEncoder, ranges: &[Range<'_>], room: &wgpu::Buffer) {
    let mut at = 0;
    for &(buffer, first, count) in ranges {
        if count > 0 {
            encoder.copy_buffer_to_buffer(buffer, 4 * first, room, 4 * at, 4 * count);
        }
        at += count;
    }
}
