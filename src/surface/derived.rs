//! Surfaces made from a surface's derivatives: what finds critical points of every index, and what curvature is read from.

use super::Surface;
use crate::error::Error;
use crate::graph::{Axis, Binary, Graph, Input, Node, NodeId, Reduction, Unary};
use crate::random::Domain;

impl Surface {
    /// `½|∇f|²` over the same box: its minima of value 0 are the critical points of `f`, of every index. Its gradient is
    /// `H∇f`, exact as every other.
    ///
    /// ```
    /// use catchment::Surface;
    /// let saddle = Surface::named("saddle", None)?.half_squared_gradient()?;
    /// assert_eq!(saddle.evaluate(&[0.0, 0.0]).0, 0.0);
    /// # Ok::<(), catchment::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Starts`] for a box that holds nothing.
    pub fn half_squared_gradient(&self) -> Result<Surface, Error> {
        let mut graph = self.graph.clone();
        let square = graph.binary(Binary::Mul, self.gradient, self.gradient);
        let sum = graph.reduce(Reduction::Sum, square, Axis::vector(self.dim()));
        let half = graph.constant(0.5);
        let value = graph.binary(Binary::Mul, half, sum);
        self.derived(format!("half the squared gradient of {}", self.label), graph, value, self.domain.clone())
    }

    /// `∇f(x)·v` as a surface over the `2n` numbers `(x, v)`. Its gradient is `(H v, ∇f(x))`: a product with the matrix of
    /// second derivatives for about the price of two gradients (Pearlmutter 1994), for many points and directions at once.
    ///
    /// # Errors
    /// [`Error::Dimension`] where `2n` coordinates are too many.
    pub fn directional(&self) -> Result<Surface, Error> {
        let n = self.dim();
        if n > super::MAX_DIM / 2 {
            let rule = crate::error::DimensionRule::AtMost(super::MAX_DIM / 2);
            return Err(Error::Dimension { surface: self.name.clone(), dim: n, rule });
        }
        let (whole, axis) = (Axis::vector(2 * n), Axis::vector(n));
        let mut graph = Graph::new();
        let both = graph.parameters(2 * n);
        let x = graph.view(both, whole, 0, 1, Some(axis));
        let v = graph.view(both, whole, n as i32, 1, Some(axis));
        let mut places: Vec<NodeId> = Vec::with_capacity(self.graph.len());
        for id in (0..self.graph.len() as u32).map(NodeId) {
            let place = match self.graph.node(id) {
                Node::Input(Input::X, _) => x,
                _ => graph.copied(&self.graph, id, |a| places[a.index()]),
            };
            places.push(place);
        }
        let product = graph.binary(Binary::Mul, places[self.gradient.index()], v);
        let value = graph.reduce(Reduction::Sum, product, axis);
        let twice = |ends: &[f64], other: f64| [ends, &vec![other; n as usize]].concat();
        let domain = Domain {
            lo: twice(&self.domain.lo, -1.0),
            hi: twice(&self.domain.hi, 1.0),
            log: [&self.domain.log[..], &vec![false; n as usize]].concat(),
        };
        self.derived(format!("the gradient of {} along a direction", self.label), graph, value, domain)
    }

    /// Whether the formula has no kink and no jump: nothing of `abs`, `sign`, `floor`, `round`, `min`, `max`, `where` is in it.
    pub fn is_smooth(&self) -> bool {
        let needed = self.graph.needed(&[self.value]);
        (0..=self.value.index()).filter(|&id| needed[id]).all(|id| match self.graph.node(NodeId(id as u32)) {
            Node::Unary(op, _) => !matches!(op, Unary::Abs | Unary::Sign | Unary::Floor | Unary::Round),
            Node::Binary(op, ..) => !matches!(op, Binary::Min | Binary::Max),
            Node::Reduce(op, ..) => !matches!(op, Reduction::Min | Reduction::Max),
            Node::Select(..) => false,
            _ => true,
        })
    }

    fn derived(&self, name: String, graph: Graph, value: NodeId, domain: Domain) -> Result<Surface, Error> {
        Surface::assembled(&name, graph, value, domain, self.rows.clone())
    }
}
