//! Curve fits: the parameters of a model that a table's rows agree with best.

mod residuals;

pub use residuals::Residuals;
