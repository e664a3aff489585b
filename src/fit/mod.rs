//! Curve fits: the parameters of a model that a table's rows agree with best.

mod recognise;
mod residuals;

pub use recognise::Recognised;
pub use residuals::Residuals;
