//! Curve fits: the parameters of a model that a table's rows agree with best.

mod basins;
mod batched;
mod builder;
mod curve;
pub(crate) mod damping;
pub(crate) mod dense;
mod descend;
mod error;
mod groups;
mod loss;
mod order;
mod recognise;
mod residuals;
mod rowcode;
mod rows;
#[cfg(test)]
mod sabotage;
mod scout;
mod solutions;
mod statistics;
mod trust;

pub use basins::Basins;
pub use batched::{
    BatchedFit, BatchedOutcome, BatchedSettings, BatchedStatus, FitColumn, FitRows, MAX_PARAMETERS, run_batched,
    stream_batched,
};
pub use builder::{Fit, Fitted};
pub use curve::Curve;
pub use descend::Stop;
pub use error::FitError;
pub use groups::GroupFits;
pub use loss::Loss;
pub(crate) use order::FitOrder;
pub use recognise::Recognised;
pub use residuals::Residuals;
pub(crate) use rowcode::RowCode;
pub use solutions::Solution;
pub use statistics::{Estimate, Standing};
