//! The GPU engine.
use crate::engine::{Backend, Evaluated};
use crate::error::Error;
use crate::outcome::{DeviceInfo, Event, Flow, Timing};
use crate::plan::{Plan, Precision};
use crate::surface::Surface;

/// A device.
#[derive(Clone, Debug)]
pub struct Device {}
/// Devices.
pub fn devices() -> Vec<Device> { Vec::new() }
pub(crate) fn find(_name: &str) -> Result<Option<usize>, Error> { Ok(None) }
pub(crate) struct GpuEngine {}
impl GpuEngine {
    pub(crate) fn best(_software: bool) -> Result<GpuEngine, Error> { Err(Error::Cancelled) }
    pub(crate) fn by_index(_i: usize) -> Result<GpuEngine, Error> { Err(Error::Cancelled) }
}
impl Backend for GpuEngine {
    fn device(&self) -> DeviceInfo { unreachable!() }
    fn descend(&self, _: &Plan, _: &mut dyn FnMut(Event) -> Flow) -> Result<Timing, Error> { unreachable!() }
    fn evaluate(&self, _: &Surface, _: &[f64], _: Precision) -> Result<Evaluated, Error> { unreachable!() }
    fn layout(&self, _: &Plan) -> Result<String, Error> { unreachable!() }
}
