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

use crate::catalog;
use crate::error::{DimensionRule, Error};
use crate::graph::{Axes, Axis, Graph, Inputs, NodeId, evaluate, gradient};
use crate::language::ast::{Binding, Dim, Expr, SurfaceSource};
use crate::language::{Diagnostic, DiagnosticKind, Elaborator, Source, nearest, parse_body, parse_call, parse_surface};
use crate::random::Domain;
use std::path::Path;

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

/// A surface as it is written: its dimension may still be free.
#[derive(Clone, Debug)]
pub struct SurfaceText {
    name: String,
    source: Source,
    parsed: SurfaceSource,
    overrides: Vec<(Source, Binding)>,
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
}

impl SurfaceText {
    /// Parses a surface file's text.
    ///
    /// # Errors
    /// [`Error::Formula`], pointing at the mistake.
    pub fn parse(name: &str, file: &str, text: &str) -> Result<SurfaceText, Error> {
        let source = Source::new(file, text);
        let parsed = parse_surface(&source)?;
        let text = SurfaceText { name: name.to_owned(), source, parsed, overrides: Vec::new() };
        text.check_declarations()?;
        Ok(text)
    }

    /// A catalog name with optional options (`ackley(a=10)`), or the path of a `.surf` file.
    ///
    /// # Errors
    /// [`Error::UnknownSurface`], [`Error::Io`] or [`Error::Formula`].
    pub fn named(call: &str) -> Result<SurfaceText, Error> {
        let (head, arguments) = match call.split_once('(') {
            Some((head, _)) => (head.trim(), true),
            None => (call.trim(), false),
        };
        let looks_like_path = head.ends_with(".surf") || head.contains(['/', '\\']);
        let mut surface = if looks_like_path {
            let path = Path::new(head);
            let text = std::fs::read_to_string(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            SurfaceText::parse(&name, head, &text)?
        } else {
            let (name, text) = catalog::surface_text(head)?;
            SurfaceText::parse(name, &format!("{name}.surf"), text)?
        };
        if arguments {
            // A path is no name: only what is in the brackets is parsed.
            let spoken = format!("{}{}", surface.name, &call.trim()[head.len()..]);
            let source = Source::new("surface", spoken);
            let parsed = parse_call(&source)?;
            for binding in parsed.arguments {
                let known = || surface.parsed.options.iter().map(|o| o.name.text.as_str());
                if !known().any(|k| k == binding.name.text) {
                    let kind = DiagnosticKind::UnknownOption {
                        name: binding.name.text.clone(),
                        owner: surface.name.clone(),
                        nearest: nearest(&binding.name.text, known()),
                    };
                    return Err(Box::new(Diagnostic::new(kind, &source, binding.name.span)).into());
                }
                surface.overrides.push((source.clone(), binding));
            }
        }
        Ok(surface)
    }

    fn check_declarations(&self) -> Result<(), Error> {
        let unavailable = |what: &str, span| {
            let kind = DiagnosticKind::NotAvailable { what: what.to_owned() };
            Err(Box::new(Diagnostic::new(kind, &self.source, span)).into())
        };
        if let Some(data) = self.parsed.data.first() {
            return unavailable("`data` without a table", data.name.span);
        }
        if let Some(matrix) = self.parsed.matrices.first() {
            return unavailable("`matrix` without a table", matrix.name.span);
        }
        if let Some(p) = self.parsed.parameters.iter().find(|p| p.dims.len() > 1) {
            return unavailable("a matrix parameter", p.name.span);
        }
        Ok(())
    }

    /// The catalog or file name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The comment lines at the top; the first is the summary.
    pub fn comments(&self) -> &[String] {
        &self.parsed.comments
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.source.text
    }

    /// Options and their default texts.
    pub fn options(&self) -> Vec<(String, String)> {
        let text = |o: &Binding| (o.name.text.clone(), self.source.slice(o.value.span).to_owned());
        self.parsed.options.iter().map(text).collect()
    }

    /// The domain of each parameter as it is written.
    pub fn domain_text(&self) -> String {
        let parameter = |p: &crate::language::ast::Parameter| {
            let intervals: Vec<&str> = p.domain.iter().map(|i| self.source.slice(i.span)).collect();
            intervals.join(", ") + if p.log { " log" } else { "" }
        };
        self.parsed.parameters.iter().map(parameter).collect::<Vec<_>>().join("; ")
    }

    /// The value of the known minimum as it is written.
    pub fn minimum_text(&self) -> Option<&str> {
        self.parsed.minima.first().map(|m| self.source.slice(m.value.span))
    }

    /// The dimension, or `None` where it is free.
    pub fn dim(&self) -> Option<u32> {
        let free = self.parsed.parameters.iter().flat_map(|p| &p.dims).any(|d| matches!(d, Dim::Free { .. }));
        (!free).then(|| self.total(0))
    }

    /// The smallest dimension: the fixed one where there is one.
    pub fn smallest_dim(&self) -> u32 {
        let (least, _) = self.free_rule();
        self.dim().unwrap_or_else(|| self.total(least))
    }

    /// Coordinates of each parameter for a free dimension of `n`.
    fn sizes(&self, n: u32) -> Vec<u32> {
        let size = |d: &Dim| match *d {
            Dim::Free { .. } => n,
            Dim::Fixed { value, .. } => value,
        };
        self.parsed.parameters.iter().map(|p| p.dims.iter().map(size).fold(1, u32::saturating_mul)).collect()
    }

    /// Coordinates of all parameters; at most `u32::MAX`.
    fn total(&self, n: u32) -> u32 {
        self.sizes(n).into_iter().fold(0, u32::saturating_add)
    }

    /// The least and the multiple of the free dimension.
    fn free_rule(&self) -> (u32, u32) {
        let free = self.parsed.parameters.iter().flat_map(|p| &p.dims).filter_map(|d| match *d {
            Dim::Free { minimum, step, .. } => Some((minimum.max(1), step.max(1))),
            Dim::Fixed { .. } => None,
        });
        free.fold((1, 1), |a, b| (a.0.max(b.0), a.1.max(b.1)))
    }

    /// The surface in `dim` dimensions; `None` where it has a fixed one.
    ///
    /// # Errors
    /// [`Error::DimensionMissing`], [`Error::Dimension`], or [`Error::Formula`] where shapes do not fit.
    pub fn at(&self, dim: Option<u32>) -> Result<Surface, Error> {
        let fixed = self.total(0);
        let rule = |dim, rule| Err(Error::Dimension { surface: self.name.clone(), dim, rule });
        let (least, multiple) = self.free_rule();
        let n = match (self.dim(), dim) {
            (Some(own), Some(dim)) if own != dim => return rule(dim, DimensionRule::Fixed(own)),
            (Some(own), _) if own > MAX_DIM => return rule(own, DimensionRule::AtMost(MAX_DIM)),
            (Some(own), _) => own,
            (None, None) => {
                return Err(Error::DimensionMissing { surface: self.name.clone(), minimum: self.smallest_dim() });
            }
            (None, Some(dim)) if dim > MAX_DIM => return rule(dim, DimensionRule::AtMost(MAX_DIM)),
            // `-d` is the length of the whole parameter vector.
            (None, Some(dim)) if dim < fixed.saturating_add(least) => {
                return rule(dim, DimensionRule::AtLeast(fixed.saturating_add(least)));
            }
            (None, Some(dim)) if !(dim - fixed).is_multiple_of(multiple) => {
                return rule(dim, DimensionRule::MultipleOf(multiple));
            }
            (None, Some(dim)) => dim - fixed,
        };
        self.build(n)
    }

    fn build(&self, n: u32) -> Result<Surface, Error> {
        let sizes = self.sizes(n);
        let total: u32 = sizes.iter().sum();
        let mut graph = Graph::new();
        let n_node = graph.constant(f64::from(n));
        let mut options: Vec<(String, f64)> = Vec::new();
        for option in &self.parsed.options {
            let spoken = self.overrides.iter().rev().find(|o| o.1.name.text == option.name.text);
            let (source, expr) = spoken.map_or((&self.source, &option.value), |o| (&o.0, &o.1.value));
            let mut elaborator = Elaborator::new(&mut graph, source, &[("n", n_node)]);
            for (name, value) in &options {
                elaborator.define_number(name, *value);
            }
            let value = elaborator.constant(expr, "an option")?;
            options.push((option.name.text.clone(), value));
        }
        let x = graph.parameters(total);
        let mut elaborator = Elaborator::new(&mut graph, &self.source, &[("n", n_node)]);
        for (name, value) in &options {
            elaborator.define_number(name, *value);
        }
        let mut domain = Domain { lo: Vec::new(), hi: Vec::new(), log: Vec::new() };
        for (parameter, &size) in self.parsed.parameters.iter().zip(&sizes) {
            self.intervals(&mut elaborator, parameter, size, &mut domain)?;
        }
        let mut minima = Vec::new();
        for minimum in &self.parsed.minima {
            let value = elaborator.constant(&minimum.value, "a minimum's value")?;
            let mut point = Vec::with_capacity(total as usize);
            for (parameter, &size) in self.parsed.parameters.iter().zip(&sizes) {
                let given = minimum.point.iter().find(|b| b.name.text == parameter.name.text);
                let Some(given) = given else {
                    let kind = DiagnosticKind::UnknownName { name: parameter.name.text.clone(), nearest: None };
                    return Err(Box::new(elaborator.diagnostic(minimum.value.span, kind)).into());
                };
                point.extend(elaborator.constants(&given.value, size, "a minimum's point")?);
            }
            minima.push(KnownMinimum { value, x: point });
        }
        let mut offset = 0;
        for (parameter, &size) in self.parsed.parameters.iter().zip(&sizes) {
            elaborator.define_parameter(
                &parameter.name.text,
                x,
                total,
                offset,
                (!parameter.dims.is_empty()).then_some(size),
            );
            offset += size;
        }
        elaborator.bindings(&self.parsed.bindings)?;
        let value = elaborator.scalar(&self.parsed.value)?;
        let label = if self.overrides.is_empty() {
            self.name.clone()
        } else {
            let spoken = |o: &(Source, Binding)| format!("{}={}", o.1.name.text, o.0.slice(o.1.value.span));
            format!("{}({})", self.name, self.overrides.iter().map(spoken).collect::<Vec<_>>().join(", "))
        };
        Surface::new(self.name.clone(), label, self.parsed.comments.clone(), graph, value, domain, minima, options)
    }

    fn intervals(
        &self,
        elaborator: &mut Elaborator<'_>,
        parameter: &crate::language::ast::Parameter,
        size: u32,
        domain: &mut Domain,
    ) -> Result<(), Error> {
        let count = parameter.domain.len();
        if count != 1 && count != size as usize {
            let kind = DiagnosticKind::IntervalCount { expected: size, found: count };
            return Err(Box::new(elaborator.diagnostic(parameter.name.span, kind)).into());
        }
        for i in 0..size as usize {
            let interval = &parameter.domain[if count == 1 { 0 } else { i }];
            let lo = elaborator.constant(&interval.lo, "a domain")?;
            let hi = elaborator.constant(&interval.hi, "a domain")?;
            if lo >= hi {
                let kind = DiagnosticKind::EmptyDomain { lo, hi };
                return Err(Box::new(elaborator.diagnostic(interval.span, kind)).into());
            }
            if parameter.log && lo <= 0.0 {
                let kind = DiagnosticKind::LogDomain { lo };
                return Err(Box::new(elaborator.diagnostic(interval.span, kind)).into());
            }
            domain.lo.push(lo);
            domain.hi.push(hi);
            domain.log.push(parameter.log);
            if count == 1 && i == 0 {
                let rest = size as usize - 1;
                domain.lo.extend(std::iter::repeat_n(lo, rest));
                domain.hi.extend(std::iter::repeat_n(hi, rest));
                domain.log.extend(std::iter::repeat_n(parameter.log, rest));
                break;
            }
        }
        Ok(())
    }
}

impl Surface {
    #[expect(clippy::too_many_arguments, reason = "the one private place where the fields meet")]
    fn new(
        name: String,
        label: String,
        comments: Vec<String>,
        mut graph: Graph,
        value: NodeId,
        domain: Domain,
        minima: Vec<KnownMinimum>,
        options: Vec<(String, f64)>,
    ) -> Result<Surface, Error> {
        domain.check()?;
        let gradient = gradient(&mut graph, value);
        Ok(Surface { name, label, comments, graph, value, gradient, domain, minima, options })
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
        let (bindings, value) = parse_body(&source)?;
        Surface::from_body(&source, &bindings, &value, domain)
    }

    fn from_body(source: &Source, bindings: &[Binding], value: &Expr, domain: Domain) -> Result<Surface, Error> {
        let dim = domain.dim() as u32;
        if dim > MAX_DIM {
            let rule = DimensionRule::AtMost(MAX_DIM);
            return Err(Error::Dimension { surface: source.name.clone(), dim, rule });
        }
        let mut graph = Graph::new();
        let x = graph.parameters(dim);
        let n = graph.constant(f64::from(dim));
        let mut elaborator = Elaborator::new(&mut graph, source, &[("x", x), ("n", n)]);
        elaborator.bindings(bindings)?;
        let value = elaborator.scalar(value)?;
        let text = source.text.to_string();
        Surface::new("formula".to_owned(), text, Vec::new(), graph, value, domain, Vec::new(), Vec::new())
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
        Surface::new(name.to_owned(), name.to_owned(), Vec::new(), graph, value, domain, Vec::new(), Vec::new())
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

    /// Value and gradient at one point, by the reference evaluator in `f64`.
    ///
    /// # Panics
    /// Where `x` has another length than [`Surface::dim`].
    pub fn evaluate(&self, x: &[f64]) -> (f64, Vec<f64>) {
        assert_eq!(x.len(), self.dim() as usize, "a point has one coordinate for each dimension");
        let inputs = Inputs { x, ..Inputs::default() };
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
        let mut hessian = vec![0.0; n * n];
        for i in 0..n {
            let seeded: Vec<Dual> =
                x.iter().enumerate().map(|(j, &value)| Dual { value, slope: f64::from(u8::from(i == j)) }).collect();
            let inputs = Inputs { x: &seeded, ..Inputs::default() };
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

impl Elaborator<'_> {
    /// Gives a name a number.
    fn define_number(&mut self, name: &str, value: f64) {
        let node = self.graph_mut().constant(value);
        self.define(name, node);
    }

    /// Gives a name a part of the parameter vector: a scalar, or `size` coordinates from `offset`.
    fn define_parameter(&mut self, name: &str, x: NodeId, total: u32, offset: u32, size: Option<u32>) {
        let to = size.map(Axis::vector);
        let node = self.graph_mut().view(x, Axis::vector(total), offset as i32, 1, to);
        self.define(name, node);
    }

    /// A constant vector of `size`, or a constant scalar repeated.
    fn constants(&mut self, expr: &Expr, size: u32, what: &str) -> Result<Vec<f64>, Box<Diagnostic>> {
        let node = self.value(expr)?;
        let graph = self.graph_mut();
        let varies = crate::graph::depends_on(graph, |_| true)[node.index()];
        let axes = graph.axes(node);
        if varies {
            return Err(Box::new(self.diagnostic(expr.span, DiagnosticKind::NotConstant { what: what.to_owned() })));
        }
        if !(axes.is_scalar() || axes == Axes::one(Axis::vector(size))) {
            let kind = DiagnosticKind::ShapeMismatch {
                operation: what.to_owned(),
                left: Axes::one(Axis::vector(size)).to_string(),
                right: axes.to_string(),
            };
            return Err(Box::new(self.diagnostic(expr.span, kind)));
        }
        let values = evaluate::<f64>(graph, &[node], &Inputs::default()).swap_remove(0);
        Ok(spread(values, size as usize))
    }
}
