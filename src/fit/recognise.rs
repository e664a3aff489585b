//! Finds the residual in a surface that is a sum of squares over rows: `mean_rows(r^2)`, `sum_rows(w*r^2)`, times or divided
//! by numbers.

use super::residuals::{Residuals, reads};
use crate::graph::{Axis, Binary, Graph, Input, Node, NodeId, Unary, depends_on, gradient};
use crate::surface::Surface;

/// What a surface squares and sums over the rows of its table.
#[derive(Clone, Debug)]
pub struct Recognised {
    /// One row's residual; its columns are those of [`Surface::table`], in their order.
    pub residuals: Residuals,
    /// The surface's value is this times the sum of the squared residuals.
    pub scale: f64,
}

impl Recognised {
    /// Looks for `k·Σ r²` over the rows, `k` a number; a weight under the sum that does not depend on the parameters goes
    /// into the residual as its root. `None` for any other formula.
    pub fn of(surface: &Surface) -> Option<Recognised> {
        let table = surface.table()?;
        let graph = surface.graph();
        let (mut node, mut scale) = (surface.value_node(), 1.0);
        let number = |id: NodeId| graph.constant_value(id);
        let item = loop {
            match graph.node(node) {
                Node::Binary(Binary::Mul, a, b) if number(a).is_some() => {
                    scale *= number(a)?;
                    node = b;
                }
                Node::Binary(Binary::Mul, a, b) if number(b).is_some() => {
                    scale *= number(b)?;
                    node = a;
                }
                Node::Binary(Binary::Div, a, b) if number(b).is_some() => {
                    scale /= number(b)?;
                    node = a;
                }
                _ => break graph.summed_rows(node)?,
            }
        };
        if !graph.axes(item).within_row().is_scalar() || scale <= 0.0 {
            return None;
        }
        let parameters = depends_on(graph, |input| input == Input::X);
        let (root, weight) = square(graph, item, &parameters)?;
        let mut row = Graph::new();
        let roots = one_row(surface, table.columns, &mut row, &[root, weight.unwrap_or(root)])?;
        let mut value = roots[0];
        if weight.is_some() {
            let weight = row.unary(Unary::Sqrt, roots[1]);
            value = row.binary(Binary::Mul, weight, value);
        }
        let names = surface.coordinates();
        let total = surface.dim() + table.columns;
        let slopes = gradient(&mut row, value);
        let slopes =
            (0..surface.dim()).map(|i| row.view(slopes, Axis::vector(total), i as i32, 0, None)).collect::<Vec<_>>();
        let columns = (0..table.columns).map(|c| format!("column {c}")).collect();
        let observed = match row.node(roots[0]) {
            Node::Binary(Binary::Sub, a, b) if weight.is_none() => {
                let free = |id: NodeId| !reads(&row, id, surface.dim());
                [b, a].into_iter().find(|&side| free(side))
            }
            _ => None,
        };
        let residuals = Residuals { graph: row, value, slopes, observed, parameters: names, columns };
        Some(Recognised { residuals, scale })
    }
}

/// `r` and the weight of `w·r²`.
fn square(graph: &Graph, item: NodeId, parameters: &[bool]) -> Option<(NodeId, Option<NodeId>)> {
    match graph.node(item) {
        Node::Binary(Binary::Pow, r, k) if graph.constant_value(k) == Some(2.0) => Some((r, None)),
        Node::Binary(Binary::Mul, a, b) if a == b => Some((a, None)),
        Node::Binary(Binary::Mul, a, b) => {
            let (weight, rest) = match (parameters[a.index()], parameters[b.index()]) {
                (false, true) => (a, b),
                (true, false) => (b, a),
                _ => return None,
            };
            match square(graph, rest, parameters)? {
                (r, None) => Some((r, Some(weight))),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Rewrites nodes over rows as nodes of one row: over `X = (parameters…, columns of the row…)`. `None` where one of them
/// itself sums over rows.
fn one_row(surface: &Surface, columns: u32, out: &mut Graph, roots: &[NodeId]) -> Option<Vec<NodeId>> {
    let graph = surface.graph();
    let n = surface.dim();
    let all = Axis::vector(n + columns);
    let x = out.parameters(n + columns);
    let needed = graph.needed(roots);
    let mut map = vec![x; graph.len()];
    for id in (0..graph.len() as u32).map(NodeId).filter(|id| needed[id.index()]) {
        map[id.index()] = match graph.node(id) {
            Node::Input(Input::X, _) => out.view(x, all, 0, 1, Some(Axis::vector(n))),
            Node::Input(Input::Data(first), axes) => {
                let to = axes.within_row().iter().next();
                out.view(x, all, (n + first) as i32, 1, to)
            }
            _ if graph.summed_rows(id).is_some() => return None,
            _ => out.copied(graph, id, |a| map[a.index()]),
        };
    }
    Some(roots.iter().map(|r| map[r.index()]).collect())
}
