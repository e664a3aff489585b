//! Catchment drops thousands to hundreds of millions of independent starts on a loss surface, lets each run downhill
//! under its own optimizer, and tells where they went.
//!
//! ```
//! use catchment::{Engine, Plan, Surface};
//! let plan = Plan::new(Surface::named("rastrigin", Some(2))?)
//!     .optimizer("sgd(lr=0.002)")
//!     .restarts(10_000)
//!     .steps(2_000)
//!     .seed(1)
//!     .resolve()?;
//! let outcome = Engine::cpu().run(&plan)?;
//! let success = outcome.configurations[0].success.unwrap();
//! // The basin of the global minimum is 0.098153 of each axis.
//! assert!((success.fraction - 0.098153f64.powi(2)).abs() < 0.004);
//! # Ok::<(), catchment::Error>(())
//! ```
#![warn(missing_docs)]

pub mod analysis;
mod auto;
#[doc(hidden)]
pub mod bench;
pub mod catalog;
mod cpu;
mod engine;
mod error;
pub mod features;
pub mod fit;
mod gpu;
pub mod graph;
pub mod host;
pub mod kernel;
pub mod language;
pub mod linear;
pub mod map;
pub mod optimizer;
mod outcome;
mod plan;
mod quantiles;
mod quota;
pub mod random;
#[cfg(feature = "report")]
pub mod report;
pub mod step;
mod summary;
mod surface;
pub mod survey;
pub mod table;

pub use auto::AutoChoice;
pub use engine::{DeviceChoice, Engine, Evaluated};
pub use error::{DeviceProblem, DimensionRule, Error};
pub use gpu::{Device, DeviceLimits, devices, fit_wgsl, wgsl};
pub use outcome::{
    Batch, Best, Column, ConfigurationOutcome, DeviceInfo, Event, Flow, Outcome, Progress, Quantiles, Status, Success,
    Timing, TraceBatch, wilson,
};
pub use plan::{Minibatch, Plan, PlanBuilder, Precision, Program, Stopping, Trace};
pub use quota::Quota;
pub use step::Bounds;
pub use summary::Summary;
pub use surface::{Bind, Given, KnownMinimum, MAX_DIM, Rows, Surface, SurfaceText};
pub use table::{Table, TableError};
