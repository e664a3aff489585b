//! Curve fits: the parameters of a model that a table's rows agree with best.

mod batched;
pub(crate) mod damping;
mod order;
mod residuals;
mod rowcode;
#[cfg(test)]
mod sabotage;

pub use batched::{
    BatchedFit, BatchedOutcome, BatchedSettings, BatchedStatus, FitColumn, FitRows, MAX_PARAMETERS, run_batched,
    stream_batched,
};
pub(crate) use order::FitOrder;
pub use residuals::Residuals;
pub(crate) use rowcode::RowCode;
