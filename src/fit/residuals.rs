//! What a fit makes small: one row's residual as a graph, with its slopes along every parameter.

use crate::error::Error;
use crate::graph::{Axis, Binary, Graph, Input, Node, NodeId, gradient};
use crate::language::{Elaborator, Source};

/// One row's residual `model - y` over the vector `X = (parameters…, columns of the row…)`, and its partial derivatives.
#[derive(Clone, Debug)]
pub struct Residuals {
    /// The formula's graph; its one input is `X`, of length `parameters + columns`.
    pub(crate) graph: Graph,
    /// The residual, a scalar.
    pub(crate) value: NodeId,
    /// Its partial derivatives along each parameter, scalars.
    pub(crate) slopes: Vec<NodeId>,
    /// What the residual is the distance to, where it is known and no parameter takes part in it.
    pub(crate) observed: Option<NodeId>,
    /// Names of the parameters.
    pub(crate) parameters: Vec<String>,
    /// Names of the columns that the formulas read.
    pub(crate) columns: Vec<String>,
}

impl Residuals {
    /// The residual `model - y` of two formulas; a name in them is a parameter or a column.
    ///
    /// # Errors
    /// [`Error::Formula`], pointing at the mistake.
    pub fn parse(model: &str, y: &str, parameters: &[String], columns: &[String]) -> Result<Residuals, Error> {
        let mut graph = Graph::new();
        let total = (parameters.len() + columns.len()) as u32;
        let names = coordinates(&mut graph, parameters.iter().chain(columns));
        let mut side = |label: &str, text: &str| -> Result<NodeId, Error> {
            Ok(Elaborator::body(&mut graph, &Source::new(label, text), &names)?)
        };
        let (model, y) = (side("--model", model)?, side("--y", y)?);
        let value = graph.binary(Binary::Sub, model, y);
        let all = gradient(&mut graph, value);
        let slopes = (0..parameters.len()).map(|i| graph.view(all, Axis::vector(total), i as i32, 0, None)).collect();
        let observed = (!reads(&graph, y, parameters.len() as u32)).then_some(y);
        Ok(Residuals { graph, value, slopes, observed, parameters: parameters.to_vec(), columns: columns.to_vec() })
    }

    /// Names of the parameters, in the order of every point.
    pub fn parameters(&self) -> &[String] {
        &self.parameters
    }

    /// Names of the columns that the formulas may read, in the order in which a fit is given them.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }
}

/// Names, each for its coordinate of `X`.
pub(super) fn coordinates<'n>(
    graph: &mut Graph,
    names: impl Iterator<Item = &'n String> + Clone,
) -> Vec<(&'n str, NodeId)> {
    let total = names.clone().count() as u32;
    let x = graph.parameters(total);
    let view = |(i, name): (usize, &'n String)| (name.as_str(), graph.view(x, Axis::vector(total), i as i32, 0, None));
    names.enumerate().map(view).collect()
}

/// Whether a node reads one of the first `n` coordinates of `X`.
pub(super) fn reads(graph: &Graph, id: NodeId, n: u32) -> bool {
    let needed = graph.needed(&[id]);
    (0..graph.len() as u32).map(NodeId).filter(|id| needed[id.index()]).any(|id| match graph.node(id) {
        Node::View { source, start, .. } => {
            matches!(graph.node(source), Node::Input(Input::X, _)) && (start as u32) < n
        }
        _ => false,
    })
}
