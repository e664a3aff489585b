//! A surface as it is written: its dimension may still be free, and its table still missing.

use super::{Given, KnownMinimum, MAX_DIM, Rows, Surface, given, network, spread};
use crate::catalog;
use crate::error::{DimensionRule, Error};
use crate::graph::{Axes, Axis, Graph, Input, Inputs, NodeId, evaluate};
use crate::language::ast::{Binding, Dim, Parameter, Shaped, SurfaceSource};
use crate::language::ast::{Expr, ExprKind};
use crate::language::{Diagnostic, DiagnosticKind, Elaborator, Source, nearest, parse_call, parse_surface};
use crate::random::Domain;
use crate::table::Matrix;
use std::path::Path;
use std::sync::Arc;

/// A surface as it is written: its dimension may still be free.
#[derive(Clone, Debug)]
pub struct SurfaceText {
    name: String,
    source: Source,
    parsed: SurfaceSource,
    overrides: Vec<(Source, Binding)>,
    given: Given,
    /// What results call it, where that is not made of its name and options.
    label: Option<String>,
}

impl SurfaceText {
    /// Parses a surface file's text.
    ///
    /// # Errors
    /// [`Error::Formula`], pointing at the mistake.
    pub fn parse(name: &str, file: &str, text: &str) -> Result<SurfaceText, Error> {
        let source = Source::new(file, text);
        let parsed = parse_surface(&source)?;
        Ok(SurfaceText {
            name: name.to_owned(),
            source,
            parsed,
            overrides: Vec::new(),
            given: Given::default(),
            label: None,
        })
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
        if head == network::NAME {
            let source = Source::new("surface", call.trim());
            let text = network::text(&source, &parse_call(&source)?)?;
            let mut surface = SurfaceText::parse(network::NAME, call.trim(), &text)?;
            surface.label = Some(call.trim().to_owned());
            return Ok(surface);
        }
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

    /// With what comes from outside: the table whose columns are its `data`, and its `matrix` constants.
    pub fn with(mut self, given: Given) -> SurfaceText {
        self.given = given;
        self
    }

    /// What is given to it.
    pub fn given(&self) -> &Given {
        &self.given
    }

    /// Names declared as `data`, and how many columns each takes; `None` for a single number a row.
    ///
    /// # Errors
    /// [`Error::Formula`] for a size that is no number.
    pub fn data(&self) -> Result<Vec<(String, Option<u32>)>, Error> {
        let mut graph = Graph::new();
        let mut elaborator = Elaborator::new(&mut graph, &self.source, &[]);
        self.parsed.data.iter().map(|d| Ok((d.name.text.clone(), elaborator.width(d)?))).collect()
    }

    /// Names declared as `matrix` that must be given: those that are not drawn.
    pub fn matrices(&self) -> impl Iterator<Item = &str> {
        self.parsed.matrices.iter().filter(|m| m.draw.is_none()).map(|m| m.name.text.as_str())
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
        let size = |p: &Parameter| p.dims.iter().map(|d| length(d, n)).fold(1, u32::saturating_mul);
        self.parsed.parameters.iter().map(size).collect()
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
            (None, Some(dim)) if dim < self.total(least) => {
                return rule(dim, DimensionRule::AtLeast(self.total(least)));
            }
            (None, Some(dim)) => {
                // `total` grows with n: the n whose total is `dim`, if there is one.
                let (mut low, mut high) = (least, dim);
                while low < high {
                    let middle = low + (high - low) / 2;
                    (low, high) = if self.total(middle) < dim { (middle + 1, high) } else { (low, middle) };
                }
                match self.total(low) == dim {
                    true if low.is_multiple_of(multiple) => low,
                    true => return rule(dim, DimensionRule::MultipleOf(multiple)),
                    false => return rule(dim, DimensionRule::Between(self.total(low - 1), self.total(low))),
                }
            }
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
            let dims: Vec<u32> = parameter.dims.iter().map(|d| length(d, n)).collect();
            elaborator.define_parameter(&parameter.name.text, x, total, offset, &dims);
            offset += size;
        }
        let rows = self.define_given(&mut elaborator)?;
        elaborator.bindings(&self.parsed.bindings)?;
        let value = elaborator.scalar(&self.parsed.value)?;
        let label = if let Some(label) = &self.label {
            label.clone()
        } else if self.overrides.is_empty() {
            self.name.clone()
        } else {
            let spoken = |o: &(Source, Binding)| format!("{}={}", o.1.name.text, o.0.slice(o.1.value.span));
            format!("{}({})", self.name, self.overrides.iter().map(spoken).collect::<Vec<_>>().join(", "))
        };
        let surface = Surface::new(self.name.clone(), graph, value, domain)?;
        let named = |p: &Parameter| (p.name.text.clone(), p.dims.iter().map(|d| length(d, n)).collect());
        let parameters = self.parsed.parameters.iter().map(named).collect();
        Ok(Surface { label, comments: self.parsed.comments.clone(), minima, options, rows, parameters, ..surface })
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
            // An interval of one point is where all restarts start.
            if lo > hi {
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

impl SurfaceText {
    /// Gives the names of `data` and `matrix` their meaning.
    fn define_given(&self, elaborator: &mut Elaborator<'_>) -> Result<Option<Arc<Rows>>, Error> {
        for (number, matrix) in self.parsed.matrices.iter().enumerate() {
            let name = &matrix.name.text;
            let dims = matrix.dims.iter().map(|d| elaborator.size(d)).collect::<Result<Vec<u32>, _>>()?;
            let given = match &matrix.draw {
                Some(draw) => elaborator.drawn(draw, number, &dims)?,
                None => {
                    let missing = || Error::MatrixMissing { surface: self.name.clone(), name: name.clone() };
                    self.given.matrix(name, &dims).ok_or_else(missing)?
                }
            };
            elaborator.define_matrix(name, &dims, given)?;
        }
        if self.parsed.data.is_empty() {
            return Ok(None);
        }
        let widths = self.parsed.data.iter().map(|d| elaborator.width(d)).collect::<Result<Vec<_>, _>>()?;
        let columns: u32 = widths.iter().map(|w| w.unwrap_or(1)).sum();
        let Some(rows) = self.given.rows_of(columns as usize) else {
            let names = self.parsed.data.iter().map(|d| d.name.text.clone()).collect();
            return Err(Error::TableMissing { surface: self.name.clone(), names });
        };
        elaborator.set_rows(Axis::rows(rows.rows));
        let mut first = 0;
        for (data, width) in self.parsed.data.iter().zip(widths) {
            elaborator.define_data(&data.name.text, first, width);
            first += width.unwrap_or(1);
        }
        if columns != rows.columns {
            return Err(Error::TableWidth { surface: self.name.clone(), expected: columns, found: rows.columns });
        }
        Ok(Some(rows))
    }
}

/// A dimension's length where the free one is `n`.
fn length(dim: &Dim, n: u32) -> u32 {
    match *dim {
        Dim::Free { .. } => n,
        Dim::Fixed { value, .. } => value,
    }
}

impl Elaborator<'_> {
    /// Gives a name a number.
    fn define_number(&mut self, name: &str, value: f64) {
        let node = self.graph_mut().constant(value);
        self.define(name, node);
    }

    /// Gives a name a part of the parameter vector from `offset`: a scalar, a vector, or a matrix row by row.
    fn define_parameter(&mut self, name: &str, x: NodeId, total: u32, offset: u32, dims: &[u32]) {
        let size = dims.iter().product();
        let to = (!dims.is_empty()).then_some(Axis::vector(size));
        let graph = self.graph_mut();
        let mut node = graph.view(x, Axis::vector(total), offset as i32, 1, to);
        if let [rows, columns] = *dims {
            node = graph.split(node, Axis::vector(size), Axis::vector(rows), Axis::column(columns));
        }
        self.define(name, node);
    }

    /// How many columns a `data` name takes; `None` for a single number a row.
    fn width(&mut self, data: &Shaped) -> Result<Option<u32>, Box<Diagnostic>> {
        match &data.dims[..] {
            [] => Ok(None),
            [size] => self.size(size).map(Some),
            [_, second, ..] => {
                let kind = DiagnosticKind::NotAvailable { what: "a matrix in each row".to_owned() };
                Err(Box::new(self.diagnostic(second.span, kind)))
            }
        }
    }

    fn size(&mut self, expr: &Expr) -> Result<u32, Box<Diagnostic>> {
        let value = self.constant(expr, "a size")?;
        if value < 1.0 || value != value.round() || value > f64::from(MAX_DIM) {
            return Err(Box::new(self.diagnostic(expr.span, DiagnosticKind::ExpectedInteger { value })));
        }
        Ok(value as u32)
    }

    /// The numbers of `normal(seed)` or `uniform(seed)`; matrix `number` of a file has a stream of its own.
    fn drawn(&mut self, draw: &Expr, number: usize, dims: &[u32]) -> Result<Matrix, Box<Diagnostic>> {
        let wrong = |this: &Self, span| {
            let found = "a formula".to_owned();
            let expected = "`normal(seed)` or `uniform(seed)`".to_owned();
            Box::new(this.diagnostic(span, DiagnosticKind::UnknownChoice { found, expected }))
        };
        let ExprKind::Call { function, arguments, index: None } = &draw.kind else {
            return Err(wrong(self, draw.span));
        };
        let ([seed], "normal" | "uniform") = (&arguments[..], function.text.as_str()) else {
            return Err(wrong(self, function.span));
        };
        let value = self.constant(seed, "a seed")?;
        if value < 0.0 || value != value.round() || value > 1e15 {
            return Err(Box::new(self.diagnostic(seed.span, DiagnosticKind::ExpectedInteger { value })));
        }
        let (rows, columns) = (dims.first().map_or(1, |&r| r as usize), dims.get(1).map_or(1, |&c| c as usize));
        let values = given::draws(function.text == "normal", value as u64, number as u64, rows * columns);
        Ok(Matrix { rows, columns, values })
    }

    fn define_data(&mut self, name: &str, first: u32, width: Option<u32>) {
        let Some(row) = self.rows() else { return };
        let axes = Axes::new([row].into_iter().chain(width.map(Axis::vector))).unwrap_or(Axes::one(row));
        let node = self.graph_mut().input(Input::Data(first), axes);
        self.define(name, node);
    }

    fn define_matrix(&mut self, name: &str, dims: &[u32], given: Matrix) -> Result<(), Error> {
        let fits = match dims[..] {
            [len] => given.rows.min(given.columns) == 1 && given.values.len() == len as usize,
            [rows, columns] => (rows as usize, columns as usize) == (given.rows, given.columns),
            _ => dims.is_empty() && given.values.len() == 1,
        };
        if !fits {
            let expected = dims.iter().map(u32::to_string).collect::<Vec<_>>().join(" × ");
            let found = format!("{} × {}", given.rows, given.columns);
            return Err(Error::MatrixSize { name: name.to_owned(), expected, found });
        }
        let axes = match dims[..] {
            [] => Axes::SCALAR,
            [len] => Axes::one(Axis::vector(len)),
            [_, columns, ..] => Axes::new([Axis::vector(dims[0]), Axis::column(columns)]).unwrap_or(Axes::SCALAR),
        };
        let node = self.graph_mut().table(given.values, axes);
        self.define(name, node);
        Ok(())
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
