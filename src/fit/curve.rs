//! A formula's value at given parameters and a row, for curves and tables of a fit.

use super::residuals::coordinates;
use crate::error::Error;
use crate::graph::{Graph, Inputs, NodeId, evaluate};
use crate::language::{Elaborator, Source};

/// A formula over names that have values.
///
/// ```
/// let names = ["a", "t"].map(String::from);
/// let curve = catchment::fit::Curve::parse("--model", "a*t^2", &names)?;
/// assert_eq!(curve.at(&[2.0, 3.0]), 18.0);
/// # Ok::<(), catchment::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Curve {
    graph: Graph,
    value: NodeId,
    names: usize,
}

impl Curve {
    /// A formula in these names; `label` is what messages call its text.
    ///
    /// # Errors
    /// [`Error::Formula`], pointing at the mistake.
    pub fn parse(label: &str, text: &str, names: &[String]) -> Result<Curve, Error> {
        let mut graph = Graph::new();
        let known = coordinates(&mut graph, names.iter());
        let value = Elaborator::body(&mut graph, &Source::new(label, text), &known)?;
        Ok(Curve { graph, value, names: names.len() })
    }

    /// The value where each name has its value, in the order of the names; NaN for another number of values.
    pub fn at(&self, values: &[f64]) -> f64 {
        if values.len() != self.names {
            return f64::NAN;
        }
        let inputs = Inputs { x: values, ..Inputs::default() };
        evaluate(&self.graph, &[self.value], &inputs).first().and_then(|v| v.first()).copied().unwrap_or(f64::NAN)
    }
}
