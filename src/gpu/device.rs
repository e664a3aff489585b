//! Devices: which there are, which one is meant, and how one is opened.

use super::cache::PipelineCache;
use crate::error::{DeviceProblem, Error};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A device that can run plans. Number 0 is the CPU engine; GPUs follow, the best first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its number in [`devices`].
    pub index: usize,
    /// Its name.
    pub name: String,
    /// `cpu`, `discrete`, `integrated`, `virtual`, `software` or `other`.
    pub kind: &'static str,
    /// `cpu`, `vulkan`, `metal`, `dx12`.
    pub backend: String,
    /// The driver's name and version.
    pub driver: String,
    /// PCI bus id, where the backend tells it.
    pub pci: String,
    /// What bounds a run on it.
    pub limits: DeviceLimits,
}

/// Limits of a device that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceLimits {
    /// Largest buffer binding, bytes.
    pub binding: u64,
    /// Largest buffer, bytes.
    pub buffer: u64,
    /// Most workgroups in one direction.
    pub workgroups: u32,
}

/// Mesa's software rasterizers end every loop of an invocation after this many turns of all its loops together, and say
/// nothing (`LP_MAX_TGSI_LOOP_ITERATIONS`).
const SOFTWARE_TURNS: u64 = 65_535;

impl Device {
    /// The most loop turns of one invocation, where the device has such a limit.
    pub(super) fn turn_limit(&self) -> Option<u64> {
        (self.kind == "software").then_some(SOFTWARE_TURNS)
    }
}

/// All devices; number 0 is the CPU engine.
pub fn devices() -> Vec<Device> {
    let cpu = Device {
        index: 0,
        name: "CPU engine".to_owned(),
        kind: "cpu",
        backend: "cpu".to_owned(),
        driver: std::thread::available_parallelism().map_or(String::new(), |n| format!("{n} threads")),
        pci: String::new(),
        limits: DeviceLimits { binding: u64::MAX, buffer: u64::MAX, workgroups: u32::MAX },
    };
    let gpus = adapters().iter().enumerate().map(|(i, a)| describe(i + 1, a));
    [cpu].into_iter().chain(gpus).collect()
}

fn describe(index: usize, adapter: &wgpu::Adapter) -> Device {
    let info = adapter.get_info();
    let limits = adapter.limits();
    Device {
        index,
        name: info.name,
        kind: kind(info.device_type),
        backend: info.backend.to_string(),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        pci: info.device_pci_bus_id,
        limits: DeviceLimits {
            binding: limits.max_storage_buffer_binding_size,
            buffer: limits.max_buffer_size,
            workgroups: limits.max_compute_workgroups_per_dimension,
        },
    }
}

fn kind(device_type: wgpu::DeviceType) -> &'static str {
    match device_type {
        wgpu::DeviceType::DiscreteGpu => "discrete",
        wgpu::DeviceType::IntegratedGpu => "integrated",
        wgpu::DeviceType::VirtualGpu => "virtual",
        wgpu::DeviceType::Cpu => "software",
        wgpu::DeviceType::Other => "other",
    }
}

/// All adapters, the best first; looked up once.
fn adapters() -> &'static [wgpu::Adapter] {
    static ADAPTERS: OnceLock<Vec<wgpu::Adapter>> = OnceLock::new();
    ADAPTERS.get_or_init(|| {
        if std::env::var("CATCHMENT_GPU").as_deref() == Ok("off") {
            return Vec::new();
        }
        let backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
        let description = wgpu::InstanceDescriptor {
            backends,
            flags: wgpu::InstanceFlags::empty(),
            ..wgpu::InstanceDescriptor::new_without_display_handle()
        };
        let instance = wgpu::Instance::new(description);
        let mut all = pollster::block_on(instance.enumerate_adapters(backends));
        let rank = |a: &wgpu::Adapter| {
            let order = ["discrete", "integrated", "virtual", "other", "software"];
            order.iter().position(|k| *k == kind(a.get_info().device_type))
        };
        all.sort_by_key(rank);
        all
    })
}

/// The device meant by an index, `pci:BUS` or part of a name: `None` for the CPU engine, else a GPU's number.
///
/// # Errors
/// [`Error::NoDevice`] with what there is.
pub(crate) fn find(wanted: &str) -> Result<Option<usize>, Error> {
    let all = devices();
    let spoken = wanted.to_lowercase();
    let hit = all.iter().find(|d| {
        wanted.parse() == Ok(d.index)
            || spoken.strip_prefix("pci:").is_some_and(|bus| !d.pci.is_empty() && d.pci.to_lowercase().ends_with(bus))
    });
    let hit = hit.or_else(|| {
        all.iter().find(|d| wanted.parse::<usize>().is_err() && d.index > 0 && d.name.to_lowercase().contains(&spoken))
    });
    match hit {
        Some(device) => Ok((device.index > 0).then_some(device.index)),
        None => Err(no_device(wanted)),
    }
}

fn no_device(wanted: &str) -> Error {
    let available: Vec<String> = devices().iter().map(|d| format!("{} {}", d.index, d.name)).collect();
    Error::NoDevice { wanted: wanted.to_owned(), available: available.join(", ") }
}

/// An opened GPU.
#[derive(Debug)]
pub(super) struct Gpu {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) about: Device,
    pub(super) cache: Option<PipelineCache>,
    failure: Arc<Mutex<Option<DeviceProblem>>>,
}

impl Gpu {
    /// The best GPU, a software one only where that is allowed.
    pub(super) fn best(software: bool) -> Result<Gpu, Error> {
        let all = devices();
        let best = all.iter().find(|d| d.index > 0 && (software || d.kind != "software"));
        Gpu::open(best.ok_or_else(|| no_device("gpu"))?.index)
    }

    /// The GPU of this number.
    pub(super) fn open(index: usize) -> Result<Gpu, Error> {
        let adapter = adapters().get(index.wrapping_sub(1)).ok_or_else(|| no_device(&index.to_string()))?;
        let about = describe(index, adapter);
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("catchment"),
            required_features: adapter.features() & wgpu::Features::PIPELINE_CACHE,
            required_limits: adapter.limits(),
            memory_hints: wgpu::MemoryHints::Performance,
            ..Default::default()
        };
        let opened = pollster::block_on(adapter.request_device(&descriptor));
        let (device, queue) = opened
            .map_err(|e| Error::Device { device: about.name.clone(), problem: DeviceProblem::Open(e.to_string()) })?;
        let failure = Arc::new(Mutex::new(None));
        let latch = failure.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            record(&latch, DeviceProblem::Refused(error.to_string()));
        }));
        let latch = failure.clone();
        device.set_device_lost_callback(move |reason, message| {
            if reason != wgpu::DeviceLostReason::Destroyed {
                record(&latch, DeviceProblem::Lost(message));
            }
        });
        let cache = PipelineCache::open(&device, &adapter.get_info());
        Ok(Gpu { device, queue, about, cache, failure })
    }

    /// The first failure that the device told of, if any.
    pub(super) fn check(&self) -> Result<(), Error> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        match &*failure {
            None => Ok(()),
            Some(problem) => Err(self.error(problem.clone())),
        }
    }

    pub(super) fn error(&self, problem: DeviceProblem) -> Error {
        Error::Device { device: self.about.name.clone(), problem }
    }
}

fn record(latch: &Mutex<Option<DeviceProblem>>, problem: DeviceProblem) {
    let mut slot = latch.lock().unwrap_or_else(PoisonError::into_inner);
    slot.get_or_insert(problem);
}
