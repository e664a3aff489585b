//! A launch's buffers, and the parameters that a shader reads. Twin: shaders/common.wgsl.

use super::device::Gpu;
use super::submission::{PARAMS_BYTES, Range, copy};
use crate::error::{DeviceProblem, Error};
use std::cell::RefCell;
use std::sync::mpsc;
use std::time::Duration;

/// `Params` of common.wgsl.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct Params {
    pub(super) count: u32,
    pub(super) steps: u32,
    pub(super) step: u32,
    pub(super) restarts: u32,
    pub(super) offset: u32,
    pub(super) first_low: u32,
    pub(super) first_high: u32,
    pub(super) seed_low: u32,
    pub(super) seed_high: u32,
    pub(super) rows: u32,
    pub(super) advance: u32,
    pub(super) region: u32,
    /// [`Settles`]
    pub(super) settles: u32,
    pub(super) epoch: u32,
    pub(super) zero: u32,
    pub(super) tests: u32,
    pub(super) gradient_squared: f32,
    pub(super) goal: f32,
    pub(super) change: f32,
    pub(super) sampled: u32,
    pub(super) listed: u32,
    pub(super) list: u32,
    /// A uniform struct is as long as a multiple of four words.
    pub(super) pad: [u32; 2],
}

/// Whose end an evaluation settles, as common.wgsl numbers it.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(super) enum Settles {
    /// It only looks.
    Nobody = 0,
    /// Everybody's but those that another module goes on with.
    AllButBeyond = 1,
    /// Everybody's.
    All = 2,
}

/// How many elements of a restart's parameters, or of a state, lie together: those that one instruction loads, or all of
/// them where a workgroup loads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packing(pub(super) u32);

impl Packing {
    /// Every element on its own.
    pub(super) const NONE: Packing = Packing(1);

    /// The widest that a dimension fills.
    pub(super) fn widest(dim: u32) -> Packing {
        Packing(dim.next_power_of_two().min(4))
    }

    /// All of a restart's elements.
    pub(super) fn whole(dim: u32) -> Packing {
        Packing(dim.max(1))
    }

    /// A dimension rounded up to whole groups.
    pub(super) fn padded(self, dim: u32) -> u32 {
        dim.next_multiple_of(self.0)
    }

    /// Where element `i` of a slot lies in a launch of `slots`: `packed_place` of common.wgsl.
    pub(super) fn element(self, i: usize, slot: usize, slots: usize) -> usize {
        let pack = self.0 as usize;
        (i / pack * slots + slot) * pack + i % pack
    }

    /// Its declaration in a shader.
    pub(super) fn constant(self) -> String {
        format!("const PACK = {}u;\n\n", self.0)
    }
}

/// Sizes of a launch's buffers, in 32-bit words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) xs: u64,
    pub(super) states: u64,
    pub(super) status: u64,
    pub(super) values: u64,
    pub(super) extra: u64,
    pub(super) queue: u64,
    pub(super) host: u64,
}

impl Sizes {
    /// Whether buffers of these sizes hold what buffers of the `other` ones do.
    pub(super) fn hold(&self, other: &Sizes) -> bool {
        let all = |s: &Sizes| [s.xs, s.states, s.status, s.values, s.extra, s.queue, s.host];
        all(self).iter().zip(all(other)).all(|(&mine, other)| mine >= other)
    }
}

/// A launch's buffers.
#[derive(Debug)]
pub(super) struct Buffers {
    pub(super) params: wgpu::Buffer,
    pub(super) xs: wgpu::Buffer,
    pub(super) states: wgpu::Buffer,
    pub(super) status: wgpu::Buffer,
    pub(super) values: wgpu::Buffer,
    pub(super) extra: wgpu::Buffer,
    pub(super) queue: wgpu::Buffer,
    pub(super) host: wgpu::Buffer,
    /// Where the counters of `queue` are read on the host.
    pub(super) counters: wgpu::Buffer,
    /// Where results are read on the host.
    pub(super) staging: Staging,
}

impl Buffers {
    /// Makes all buffers; each holds at least four words, what the widest packing loads.
    pub(super) fn new(gpu: &Gpu, sizes: Sizes) -> Result<Buffers, Error> {
        use wgpu::BufferUsages as Usage;
        let scope = gpu.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let make = |label, words: u64, usage| {
            gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: 4 * words.max(4),
                usage: usage | Usage::COPY_DST,
                mapped_at_creation: false,
            })
        };
        let both = Usage::STORAGE | Usage::COPY_SRC;
        let buffers = Buffers {
            params: make("params", PARAMS_BYTES / 4, Usage::UNIFORM),
            xs: make("xs", sizes.xs, both),
            states: make("states", sizes.states, both),
            status: make("status", sizes.status, both),
            values: make("values", sizes.values, both),
            extra: make("extra", sizes.extra, both),
            queue: make("queue", sizes.queue, both),
            host: make("host", sizes.host, Usage::STORAGE),
            counters: make("counters", 3, Usage::MAP_READ),
            staging: Staging::default(),
        };
        if let Some(error) = pollster::block_on(scope.pop()) {
            return Err(gpu.error(DeviceProblem::Refused(error.to_string())));
        }
        gpu.check()?;
        Ok(buffers)
    }

    /// Binds everything, with a module's own tables.
    pub(super) fn bind(&self, gpu: &Gpu, layout: &wgpu::BindGroupLayout, tables: &wgpu::Buffer) -> wgpu::BindGroup {
        let all = [
            &self.params,
            &self.xs,
            &self.states,
            &self.status,
            &self.values,
            &self.extra,
            &self.queue,
            &self.host,
            tables,
        ];
        let mut entries = Vec::with_capacity(all.len());
        for (binding, buffer) in (0..).zip(all) {
            // Each dispatch of a submission has parameters of its own.
            let size = if binding == 0 { std::num::NonZero::new(size_of::<Params>() as u64) } else { None };
            let part = wgpu::BufferBinding { buffer, offset: 0, size };
            entries.push(wgpu::BindGroupEntry { binding, resource: wgpu::BindingResource::Buffer(part) });
        }
        gpu.device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &entries })
    }
}

/// The one layout that all modules of a descent share: binding 0 uniform, wherever a dispatch has its parameters, 1 to 6
/// written, 7 and 8 read.
pub(super) fn layout(gpu: &Gpu) -> wgpu::BindGroupLayout {
    layout_of(gpu, "catchment", true, 6, 9)
}

/// A layout of `count` bindings: 0 uniform, at an offset that the dispatch gives where it `moves`, then those that are written
/// up to number `written`, then those that are read.
pub(super) fn layout_of(gpu: &Gpu, label: &str, moves: bool, written: u32, count: u32) -> wgpu::BindGroupLayout {
    let entry = |binding: u32| {
        let ty = match binding {
            0 => wgpu::BufferBindingType::Uniform,
            _ => wgpu::BufferBindingType::Storage { read_only: binding > written },
        };
        wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: moves && binding == 0, min_binding_size: None },
            count: None,
        }
    };
    let entries: Vec<wgpu::BindGroupLayoutEntry> = (0..count).map(entry).collect();
    let descriptor = wgpu::BindGroupLayoutDescriptor { label: Some(label), entries: &entries };
    gpu.device.create_bind_group_layout(&descriptor)
}

/// A buffer with this content.
pub(super) fn filled(gpu: &Gpu, label: &str, words: &[f32]) -> wgpu::Buffer {
    let buffer = gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size: 4 * words.len().max(1) as u64,
        usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    if !words.is_empty() {
        gpu.queue.write_buffer(&buffer, 0, bytemuck::cast_slice(words));
    }
    buffer
}

/// Reads ranges of buffers back, each as words. `wait` is asked again and again until it says that the work is done.
pub(super) fn read(
    gpu: &Gpu,
    ranges: &[Range<'_>],
    wait: &mut dyn FnMut(wgpu::SubmissionIndex) -> Result<(), Error>,
) -> Result<Vec<Vec<u32>>, Error> {
    let room = room(gpu, ranges);
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    copy(&mut encoder, ranges, &room);
    wait(gpu.queue.submit([encoder.finish()]))?;
    mapped(gpu, &room, |words| parts(words, ranges).into_iter().map(<[u32]>::to_vec).collect())
}

/// Room on the host for ranges of buffers.
fn room(gpu: &Gpu, ranges: &[Range<'_>]) -> wgpu::Buffer {
    gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("read-back"),
        size: 4 * ranges.iter().map(|r| r.2).sum::<u64>().max(1),
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    })
}

/// Room on the host that is kept from one read-back to the next.
#[derive(Debug, Default)]
pub(super) struct Staging(RefCell<Option<wgpu::Buffer>>);

impl Staging {
    /// Room for these ranges.
    pub(super) fn room(&self, gpu: &Gpu, ranges: &[Range<'_>]) -> wgpu::Buffer {
        let bytes = 4 * ranges.iter().map(|r| r.2).sum::<u64>();
        let mut kept = self.0.borrow_mut();
        match &*kept {
            Some(room) if room.size() >= bytes => room.clone(),
            _ => kept.insert(room(gpu, ranges)).clone(),
        }
    }
}

/// Words that were copied one behind the other, range by range.
pub(super) fn parts<'w>(mut words: &'w [u32], ranges: &[Range<'_>]) -> Vec<&'w [u32]> {
    let part = |&(_, _, count): &Range<'_>| words.split_off(..count as usize).unwrap_or_default();
    ranges.iter().map(part).collect()
}

/// Reads a buffer that the host can map, once the work that writes it is done.
pub(super) fn mapped<T>(gpu: &Gpu, buffer: &wgpu::Buffer, take: impl FnOnce(&[u32]) -> T) -> Result<T, Error> {
    let (send, mapped) = mpsc::channel();
    buffer.map_async(wgpu::MapMode::Read, .., move |result| {
        // The receiver is gone only when reading was given up.
        let _ = send.send(result);
    });
    let lost = |text: String| gpu.error(DeviceProblem::Lost(text));
    let wait = wgpu::PollType::Wait { submission_index: None, timeout: Some(Duration::from_secs(60)) };
    gpu.device.poll(wait).map_err(|e| lost(e.to_string()))?;
    gpu.check()?;
    match mapped.try_recv() {
        Ok(Ok(())) => {}
        Ok(Err(e)) => return Err(lost(e.to_string())),
        Err(_) => return Err(lost("the read-back never came".to_owned())),
    }
    let view = buffer.get_mapped_range(..).map_err(|e| lost(e.to_string()))?;
    let taken = take(bytemuck::cast_slice(&view));
    drop(view);
    buffer.unmap();
    Ok(taken)
}
