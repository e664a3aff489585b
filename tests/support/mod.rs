//! What every test file shares: the oracles, the engines, the catalog as rows, and the checks that laws and sabotage
//! alike are made of.
#![allow(dead_code, reason = "every test file uses its own part")]

pub mod bits;
pub mod bounds;
pub mod catalog;
pub mod checks;
pub mod formulas;
pub mod interpreter;
pub mod oracle;
pub mod reference_fit;
pub mod report;
pub mod steps;
pub mod tables;

use catchment::{DeviceChoice, Engine, Precision};
use std::sync::Once;

/// An engine under test.
pub struct Backend {
    pub name: &'static str,
    pub engine: Engine,
}

impl Backend {
    /// How many rows a law takes: fewer where every row is a shader to compile, which a software GPU does slowly.
    pub fn share(&self, cpu: usize, gpu: usize) -> usize {
        if self.name == "cpu" { cpu } else { gpu }
    }

    /// The number types that it runs in.
    pub fn precisions(&self) -> &'static [Precision] {
        match self.name {
            "cpu" => &[Precision::F64, Precision::F32],
            _ => &[Precision::F32],
        }
    }
}

/// The CPU, and the GPU as `CATCHMENT_GPU` says: `auto` (the default) takes one if there is one, a software one
/// included; `require` fails without one; `off` leaves it out.
pub fn engines() -> Vec<Backend> {
    let mut all = vec![Backend { name: "cpu", engine: Engine::cpu() }];
    all.extend(gpu());
    all
}

/// The GPU, as [`engines`] has it.
pub fn gpu() -> Option<Backend> {
    static ONCE: Once = Once::new();
    let wanted = std::env::var("CATCHMENT_GPU").unwrap_or_else(|_| "auto".to_owned());
    if wanted == "off" {
        ONCE.call_once(|| println!("GPU tests skipped: CATCHMENT_GPU=off"));
        return None;
    }
    match Engine::open(&DeviceChoice::Gpu, 0) {
        Ok(engine) => {
            ONCE.call_once(|| println!("GPU: {:?}", engine.device()));
            Some(Backend { name: "gpu", engine })
        }
        Err(error) if wanted == "require" => panic!("CATCHMENT_GPU=require, and no GPU opens: {error}"),
        Err(error) => {
            ONCE.call_once(|| println!("GPU tests skipped, no adapter: {error}"));
            None
        }
    }
}

/// Validates WGSL as a browser would, on a thread with a large stack: naga recurses.
pub fn validate(text: &str) -> Result<(), String> {
    std::thread::scope(|scope| {
        let task = || {
            let module = naga::front::wgsl::parse_str(text).map_err(|e| e.emit_to_string(text))?;
            let flags = naga::valid::ValidationFlags::default();
            let mut validator = naga::valid::Validator::new(flags, naga::valid::Capabilities::default());
            validator.validate(&module).map(|_| ()).map_err(|e| e.emit_to_string(text))
        };
        let builder = std::thread::Builder::new().stack_size(128 << 20);
        builder.spawn_scoped(scope, task).expect("a thread").join().expect("naga does not panic")
    })
}
