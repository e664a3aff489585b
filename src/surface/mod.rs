//! A loss surface: a formula over a parameter vector, its gradient, its domain and its known minima.
//!
//! ```
//! use catchment::Surface;
//! let surface = Surface::named("rastrigin", Some(2))?;
//! let (value, gradient) = surface.evaluate(&[0.5, 0.0]);
//! assert_eq!(value, 20.25);
//! assert!((gradient[0] - 1.0).abs() < 1e-12);
//! # Ok::<(), catchment::Error>(())
//! ```

mod derived;
mod given;
mod network;
mod text;

pub use given::{Bind, Given, Rows};
pub use text::SurfaceText;

use crate::error::{DimensionRule, Error};
use crate::graph::{Graph, Inputs, NodeId, evaluate, gradient};
use crate::language::{Elaborator, Source};
use crate::random::Domain;
use std::sync::Arc;

/// The largest dimension that an engine takes.
pub const MAX_DIM: u32 = 1 << 20;

/// A known global minimum.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownMinimum {
    /// The value there.
    pub value: f64,
    /// The point.
    pub x: Vec<f64>,
}

/// A surface of a fixed dimension, ready to be descended.
#[derive(Clone, Debug)]
pub struct Surface {
    name: String,
    label: String,
    comments: Vec<String>,
    graph: Graph,
    value: NodeId,
    gradient: NodeId,
    domain: Domain,
    minima: Vec<KnownMinimum>,
    options: Vec<(String, f64)>,
    rows: Option<Arc<Rows>>,
    /// Names of the parameters and their sizes: none for a scalar, two for a matrix.
    parameters: Vec<(String, Vec<u32>)>,
}

impl Surface {
    /// A formula over a box, and nothing else known of it.
    fn new(name: String, mut graph: Graph, value: NodeId, domain: Domain) -> Result<Surface, Error> {
        domain.check()?;
        let gradient = gradient(&mut graph, value);
        let dim = domain.dim() as u32;
        Ok(Surface {
            label: name.clone(),
            name,
            comments: Vec::new(),
            graph,
            value,
            gradient,
            domain,
            minima: Vec::new(),
            options: Vec::new(),
            rows: None,
            parameters: vec![("x".to_owned(), vec![dim])],
        })
    }

    /// A surface from its graph and the table that it reads.
    pub(crate) fn assembled(
        name: &str,
        graph: Graph,
        value: NodeId,
        domain: Domain,
        rows: Option<Arc<Rows>>,
    ) -> Result<Surface, Error> {
        Ok(Surface { rows, ..Surface::new(name.to_owned(), graph, value, domain)? })
    }

    /// A catalog surface (`rastrigin`, `ackley(a=10)`) or a `.surf` file, in `dim` dimensions (`None` where it is fixed).
    ///
    /// # Errors
    /// As [`SurfaceText::named`] and [`SurfaceText::at`].
    pub fn named(name: &str, dim: Option<u32>) -> Result<Surface, Error> {
        SurfaceText::named(name)?.at(dim)
    }

    /// The text of a surface file.
    ///
    /// # Errors
    /// As [`SurfaceText::parse`] and [`SurfaceText::at`].
    pub fn parse(name: &str, text: &str, dim: Option<u32>) -> Result<Surface, Error> {
        SurfaceText::parse(name, name, text)?.at(dim)
    }

    /// A bare formula in the vector `x` over a box: `Surface::formula("sum(x^4 - x^2)", Domain::cube(3, -2.0, 2.0))`.
    ///
    /// # Errors
    /// [`Error::Formula`] or [`Error::Starts`] for a bad box.
    pub fn formula(text: &str, domain: Domain) -> Result<Surface, Error> {
        domain.check()?;
        let source = Source::new("--expr", text);
        let dim = domain.dim() as u32;
        if dim > MAX_DIM {
            let rule = DimensionRule::AtMost(MAX_DIM);
            return Err(Error::Dimension { surface: source.name.clone(), dim, rule });
        }
        let mut graph = Graph::new();
        let x = graph.parameters(dim);
        let n = graph.constant(f64::from(dim));
        let value = Elaborator::body(&mut graph, &source, &[("x", x), ("n", n)])?;
        let text = source.text.to_string();
        let surface = Surface::new("formula".to_owned(), graph, value, domain)?;
        Ok(Surface { label: text, ..surface })
    }

    /// A surface built in Rust: `build` makes the value from the parameter vector.
    ///
    /// ```
    /// use catchment::{Surface, random::Domain};
    /// let bowl = Surface::build("bowl", Domain::cube(3, -1.0, 1.0), |x| (x.clone() * x).sum() + 1.0)?;
    /// assert_eq!(bowl.evaluate(&[1.0, 2.0, 0.0]), (6.0, vec![2.0, 4.0, 0.0]));
    /// # Ok::<(), catchment::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Starts`] for a bad box.
    pub fn build(
        name: &str,
        domain: Domain,
        build: impl FnOnce(crate::graph::Expression) -> crate::graph::Expression,
    ) -> Result<Surface, Error> {
        domain.check()?;
        let (graph, value) = crate::graph::Expression::surface(domain.dim() as u32, build);
        Surface::new(name.to_owned(), graph, value, domain)
    }

    /// Adds a known global minimum, against which success is counted.
    pub fn with_minimum(mut self, value: f64, x: Vec<f64>) -> Surface {
        self.minima.push(KnownMinimum { value, x });
        self
    }

    /// With another box: the one that starts are drawn from and bounds hold to.
    ///
    /// # Errors
    /// [`Error::Starts`] where it does not fit the surface.
    pub fn with_domain(mut self, domain: Domain) -> Result<Surface, Error> {
        domain.check()?;
        if domain.dim() != self.domain.dim() {
            return Err(crate::random::StartsError::PointsDim { expected: self.domain.dim(), got: domain.dim() }.into());
        }
        self.domain = domain;
        Ok(self)
    }

    /// The catalog or file name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name with the options that were set; the formula itself for a bare one.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The comment lines of its file.
    pub fn comments(&self) -> &[String] {
        &self.comments
    }

    /// How many coordinates.
    pub fn dim(&self) -> u32 {
        self.domain.dim() as u32
    }

    /// The box.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// Known global minima; their values agree.
    pub fn minima(&self) -> &[KnownMinimum] {
        &self.minima
    }

    /// Options and their values.
    pub fn options(&self) -> &[(String, f64)] {
        &self.options
    }

    /// The formula's graph, as written; `value` and `gradient` are nodes of it.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The value's node.
    pub fn value_node(&self) -> NodeId {
        self.value
    }

    /// The gradient's node: over the parameters, or a scalar where all coordinates share it.
    pub fn gradient_node(&self) -> NodeId {
        self.gradient
    }

    /// The name of each coordinate: `a` of a scalar parameter, `x[0]` of a vector, `W[0, 1]` of a matrix.
    pub fn coordinates(&self) -> Vec<String> {
        let one = |(name, dims): &(String, Vec<u32>)| -> Vec<String> {
            match dims[..] {
                [] => vec![name.clone()],
                [n] => (0..n).map(|i| format!("{name}[{i}]")).collect(),
                _ => {
                    let (rows, columns) = (dims[0], dims[1]);
                    (0..rows * columns).map(|i| format!("{name}[{}, {}]", i / columns, i % columns)).collect()
                }
            }
        };
        self.parameters.iter().flat_map(one).collect()
    }

    /// The table that its formula sums over, where it has one.
    pub fn table(&self) -> Option<&Arc<Rows>> {
        self.rows.as_ref()
    }

    /// Value and gradient at one point, by the reference evaluator in `f64`.
    ///
    /// # Panics
    /// Where `x` has another length than [`Surface::dim`].
    pub fn evaluate(&self, x: &[f64]) -> (f64, Vec<f64>) {
        assert_eq!(x.len(), self.dim() as usize, "a point has one coordinate for each dimension");
        let (data, columns) = self.rows.as_ref().map_or((&[][..], 0), |r| (&r.values[..], r.columns as usize));
        let inputs = Inputs { x, data, columns, ..Inputs::default() };
        let mut out = evaluate::<f64>(&self.graph, &[self.value, self.gradient], &inputs);
        let gradient = spread(out.swap_remove(1), x.len());
        (out[0][0], gradient)
    }

    /// The symmetric matrix of second derivatives at one point, row-major, in `f64` (forward over reverse).
    ///
    /// # Panics
    /// Where `x` has another length than [`Surface::dim`].
    pub fn hessian(&self, x: &[f64]) -> Vec<f64> {
        use crate::graph::Dual;
        let n = x.len();
        assert_eq!(n, self.dim() as usize, "a point has one coordinate for each dimension");
        let columns = self.rows.as_ref().map_or(0, |r| r.columns as usize);
        let values = self.rows.iter().flat_map(|r| r.values.iter());
        let data: Vec<Dual> = values.map(|&v| <Dual as crate::graph::Scalar>::constant(v)).collect();
        let mut hessian = vec![0.0; n * n];
        for i in 0..n {
            let seeded: Vec<Dual> =
                x.iter().enumerate().map(|(j, &value)| Dual { value, slope: f64::from(u8::from(i == j)) }).collect();
            let inputs = Inputs { x: &seeded, data: &data, columns, ..Inputs::default() };
            let row = spread(evaluate::<Dual>(&self.graph, &[self.gradient], &inputs).swap_remove(0), n);
            for (j, d) in row.iter().enumerate() {
                hessian[i * n + j] = d.slope;
            }
        }
        for i in 0..n {
            for j in 0..i {
                let mean = 0.5 * (hessian[i * n + j] + hessian[j * n + i]);
                hessian[i * n + j] = mean;
                hessian[j * n + i] = mean;
            }
        }
        hessian
    }
}

/// A gradient that is the same for all coordinates, written out.
fn spread<S: Copy>(values: Vec<S>, n: usize) -> Vec<S> {
    if values.len() == 1 && n != 1 { vec![values[0]; n] } else { values }
}
