//! Curve fits: the parameters of a model that a table's rows agree with best.

mod basins;
mod builder;
mod curve;
mod dense;
mod descend;
mod error;
mod groups;
mod loss;
mod recognise;
mod residuals;
mod rows;
mod solutions;
mod statistics;
mod trust;

pub use basins::Basins;
pub use builder::{Fit, Fitted};
pub use curve::Curve;
pub use descend::Stop;
pub use error::FitError;
pub use groups::GroupFits;
pub use loss::Loss;
pub use recognise::Recognised;
pub use residuals::Residuals;
pub use solutions::Solution;
pub use statistics::{Estimate, Standing};
