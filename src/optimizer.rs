//! Optimizers: chains of transforms around one update rule, and their hyperparameters.
//!
//! `"noise(sigma=0.1) | adam(lr=[1e-3, 1e-2])"` is one chain and two configurations.

use crate::catalog;
use crate::error::Error;
use crate::graph::{Axes, Graph, Input, NodeId, depends_on};
use crate::language::ast::{Binding, CallSource, Expr, ExprKind, OptimizerSource};
use crate::language::{Diagnostic, DiagnosticKind, Elaborator, Source, nearest, parse_chain, parse_optimizer};
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

/// An update rule or transform as it is written.
#[derive(Debug)]
pub struct OptimizerText {
    name: String,
    source: Source,
    parsed: OptimizerSource,
}

impl PartialEq for OptimizerText {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl OptimizerText {
    /// Parses an optimizer file's text.
    ///
    /// # Errors
    /// [`Error::Formula`], pointing at the mistake.
    pub fn parse(name: &str, file: &str, text: &str) -> Result<OptimizerText, Error> {
        let source = Source::new(file, text);
        let parsed = parse_optimizer(&source)?;
        Ok(OptimizerText { name: name.to_owned(), source, parsed })
    }

    /// A catalog entry, or the path of an `.opt` file.
    ///
    /// # Errors
    /// [`Error::UnknownOptimizer`], [`Error::Io`] or [`Error::Formula`].
    pub fn named(name: &str) -> Result<OptimizerText, Error> {
        if name.ends_with(".opt") || name.contains(['/', '\\']) {
            let path = Path::new(name);
            let text = std::fs::read_to_string(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            return OptimizerText::parse(&stem, name, &text);
        }
        let (name, text) = catalog::optimizer_text(name)?;
        OptimizerText::parse(name, &format!("{name}.opt"), text)
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

    /// The file it was read from: a path, or a catalog entry's file name.
    pub fn file(&self) -> &str {
        &self.source.name
    }

    /// Whether it is an update rule: the gradient's values reach an assignment to `x`. A transform changes `g`, or moves
    /// `x` by something else; that a condition looks at the gradient makes no rule.
    pub fn is_rule(&self) -> bool {
        let mut holds: HashSet<&str> = HashSet::from(["g"]);
        loop {
            let before = holds.len();
            for assignment in &self.parsed.assignments {
                if carries(&assignment.value, &holds) {
                    holds.insert(&assignment.name.text);
                }
            }
            if holds.len() == before {
                return holds.contains("x");
            }
        }
    }

    /// Hyperparameters and the texts of their defaults.
    pub fn hyper(&self) -> Vec<(String, String)> {
        let text = |b: &Binding| (b.name.text.clone(), self.source.slice(b.value.span).to_owned());
        self.parsed.hyper.iter().map(text).collect()
    }

    /// State slots.
    pub fn states(&self) -> Vec<String> {
        self.parsed.state.iter().map(|s| s.name.text.clone()).collect()
    }

    pub(crate) fn parsed(&self) -> &OptimizerSource {
        &self.parsed
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }
}

/// Whether the values of one of the names reach an expression's value, conditions apart.
fn carries(expr: &Expr, names: &HashSet<&str>) -> bool {
    let hits = |e: &Expr| carries(e, names);
    match &expr.kind {
        ExprKind::Number(_) => false,
        ExprKind::Name(name) => names.contains(name.as_str()),
        ExprKind::Prefix(_, a) => hits(a),
        ExprKind::Chain(a, rest) => hits(a) || rest.iter().any(|(_, e)| hits(e)),
        ExprKind::Power(a, b) => hits(a) || hits(b),
        ExprKind::Call { function, arguments, .. } => {
            let conditions = usize::from(function.text == "where");
            arguments.iter().skip(conditions).any(hits)
        }
        ExprKind::Subscript(a, _) => hits(a),
        ExprKind::List(items) => items.iter().any(hits),
    }
}

/// The value of one hyperparameter in one configuration.
#[derive(Clone, Debug)]
pub enum HyperValue {
    /// A number.
    Constant(f64),
    /// A formula in `t` and `T`.
    Schedule(Schedule),
    /// Drawn for every restart: uniformly, or log-uniformly.
    Drawn {
        /// Whether the logarithm is uniform.
        log: bool,
        /// Lower end.
        lo: f64,
        /// Upper end.
        hi: f64,
    },
    /// Given for every restart: restart `r` takes entry `r` modulo their number.
    Given(Arc<[f64]>),
}

/// A hyperparameter as a formula in the step.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Holds the formula over [`Input::Step`] and [`Input::Steps`].
    pub graph: Arc<Graph>,
    /// The formula.
    pub node: NodeId,
    /// As it is written.
    pub text: String,
}

impl HyperValue {
    /// The value as a person would write it.
    pub fn text(&self) -> String {
        match self {
            HyperValue::Constant(v) => number(*v),
            HyperValue::Schedule(s) => s.text.clone(),
            HyperValue::Drawn { log: false, lo, hi } => format!("uniform({}, {})", number(*lo), number(*hi)),
            HyperValue::Drawn { log: true, lo, hi } => format!("log_uniform({}, {})", number(*lo), number(*hi)),
            HyperValue::Given(values) => format!("one of {}", values.len()),
        }
    }
}

/// A number in its shortest form, with an exponent where that is much shorter: `0.002`, `1e-8`.
pub(crate) fn number(v: f64) -> String {
    let (plain, exponent) = (format!("{v}"), format!("{v:e}"));
    if exponent.len() + 2 < plain.len() { exponent } else { plain }
}

/// The place of a hyperparameter in a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HyperSlot {
    /// The stage of the chain.
    pub stage: usize,
    /// Its name in the stage's file.
    pub name: String,
    /// Its name in results: the plain one for the update rule, `stage.name` for a transform.
    pub label: String,
    /// Whether it is drawn or given for every restart.
    pub drawn: bool,
}

/// A chain of optimizers: what decides the code of a kernel, apart from all numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    /// The stages, left to right; exactly one is an update rule.
    pub stages: Vec<Arc<OptimizerText>>,
    /// All hyperparameters, in order.
    pub hyper: Vec<HyperSlot>,
}

/// One chain with a value for every hyperparameter.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The chain.
    pub chain: Arc<Chain>,
    /// Values by the chain's slots.
    pub hyper: Vec<HyperValue>,
    /// As a person would write it: what was given, not the defaults.
    pub text: String,
}

/// Parses a chain and expands its lists: every combination is a configuration.
///
/// ```
/// let all = catchment::optimizer::configurations("adam(lr=[0.1, 0.01], beta1=[0.8, 0.9])")?;
/// assert_eq!(all.len(), 4);
/// assert_eq!(all[1].text, "adam(lr=0.1, beta1=0.9)");
/// # Ok::<(), catchment::Error>(())
/// ```
///
/// # Errors
/// [`Error::Formula`] pointing into the text, [`Error::UnknownOptimizer`], [`Error::Io`] for a path.
pub fn configurations(text: &str) -> Result<Vec<Configuration>, Error> {
    let trimmed = text.trim();
    let (source, calls) = if trimmed.ends_with(".opt") && !trimmed.contains('|') {
        let name = crate::language::ast::Name { text: trimmed.to_owned(), span: Default::default() };
        let call = CallSource { name, arguments: Vec::new(), span: Default::default() };
        (Source::new("-o", trimmed), vec![call])
    } else {
        let source = Source::new("-o", text);
        let calls = parse_chain(&source)?;
        (source, calls)
    };
    let mut stages = Vec::new();
    for call in &calls {
        let stage = match OptimizerText::named(&call.name.text) {
            Err(Error::UnknownOptimizer { name, nearest }) if call.name.span != Default::default() => {
                let kind =
                    DiagnosticKind::UnknownEntry { what: "optimizer", name: name.clone(), nearest: nearest.clone() };
                if calls.len() == 1 {
                    return Err(Error::UnknownOptimizer { name, nearest });
                }
                return Err(Box::new(Diagnostic::new(kind, &source, call.name.span)).into());
            }
            other => Arc::new(other?),
        };
        stages.push(stage);
    }
    let rules: Vec<usize> = (0..stages.len()).filter(|&i| stages[i].is_rule()).collect();
    let mistake = |kind, span| Err(Box::new(Diagnostic::new(kind, &source, span)).into());
    match rules[..] {
        [] => {
            return mistake(DiagnosticKind::NeedsUpdateRule, calls.last().map_or(Default::default(), |c| c.name.span));
        }
        [_] => {}
        [_, second, ..] => return mistake(DiagnosticKind::SeveralUpdateRules, calls[second].name.span),
    }
    let rule = rules[0];

    // Alternatives for every hyperparameter, and whether they were given.
    let mut slots: Vec<HyperSlot> = Vec::new();
    let mut alternatives: Vec<(bool, Vec<HyperValue>)> = Vec::new();
    for (index, (stage, call)) in stages.iter().zip(&calls).enumerate() {
        let known = || stage.parsed.hyper.iter().map(|h| h.name.text.as_str());
        for argument in &call.arguments {
            if !known().any(|k| k == argument.name.text) {
                let kind = DiagnosticKind::UnknownHyper {
                    name: argument.name.text.clone(),
                    owner: stage.name.clone(),
                    nearest: nearest(&argument.name.text, known()),
                };
                return mistake(kind, argument.name.span);
            }
        }
        for hyper in &stage.parsed.hyper {
            let name = hyper.name.text.clone();
            let given = call.arguments.iter().rev().find(|a| a.name.text == name);
            let values = match given {
                Some(argument) => hyper_values(&source, &argument.value)?,
                None => hyper_values(&stage.source, &hyper.value)?,
            };
            let label = if index == rule { name.clone() } else { format!("{}.{name}", stage.name) };
            slots.push(HyperSlot { stage: index, name, label, drawn: false });
            alternatives.push((given.is_some(), values));
        }
    }
    let total: usize = alternatives.iter().map(|a| a.1.len()).product();
    if total > MAX_CONFIGURATIONS {
        return Err(Error::Setting {
            name: "the number of configurations",
            value: total as f64,
            expected: "at most 65536",
        });
    }
    let mut out = Vec::with_capacity(total);
    for flat in 0..total {
        let mut rest = flat;
        let mut hyper = vec![HyperValue::Constant(0.0); alternatives.len()];
        for (slot, (_, values)) in hyper.iter_mut().zip(&alternatives).rev() {
            *slot = values[rest % values.len()].clone();
            rest /= values.len();
        }
        let mut slots = slots.clone();
        for (slot, value) in slots.iter_mut().zip(&hyper) {
            slot.drawn = matches!(value, HyperValue::Drawn { .. });
        }
        let stage_text = |index: usize| {
            let given: Vec<String> = slots
                .iter()
                .zip(&hyper)
                .zip(&alternatives)
                .filter(|((s, _), a)| s.stage == index && a.0)
                .map(|((s, v), _)| format!("{}={}", s.name, v.text()))
                .collect();
            let name = &stages[index].name;
            if given.is_empty() { name.clone() } else { format!("{name}({})", given.join(", ")) }
        };
        let text = (0..stages.len()).map(stage_text).collect::<Vec<_>>().join(" | ");
        let chain = Chain { stages: stages.clone(), hyper: slots };
        out.push(Configuration { chain: Arc::new(chain), hyper, text });
    }
    Ok(out)
}

/// The most configurations of one chain.
const MAX_CONFIGURATIONS: usize = 65_536;

fn hyper_values(source: &Source, expr: &Expr) -> Result<Vec<HyperValue>, Error> {
    match &expr.kind {
        ExprKind::List(items) if !items.is_empty() => items.iter().map(|item| hyper_value(source, item)).collect(),
        _ => Ok(vec![hyper_value(source, expr)?]),
    }
}

fn hyper_value(source: &Source, expr: &Expr) -> Result<HyperValue, Error> {
    let mut graph = Graph::new();
    let t = graph.input(Input::Step, Axes::SCALAR);
    let steps = graph.input(Input::Steps, Axes::SCALAR);
    let mut elaborator = Elaborator::new(&mut graph, source, &[("t", t), ("T", steps)]);
    if let ExprKind::Call { function, arguments, index: None } = &expr.kind
        && let (log @ ("uniform" | "log_uniform"), [lo, hi]) = (function.text.as_str(), &arguments[..])
    {
        let log = log == "log_uniform";
        let lo = elaborator.constant(lo, "an end of a range")?;
        let hi = elaborator.constant(hi, "an end of a range")?;
        if lo >= hi {
            return Err(Box::new(elaborator.diagnostic(expr.span, DiagnosticKind::EmptyDomain { lo, hi })).into());
        }
        if log && lo <= 0.0 {
            return Err(Box::new(elaborator.diagnostic(expr.span, DiagnosticKind::LogDomain { lo })).into());
        }
        return Ok(HyperValue::Drawn { log, lo, hi });
    }
    let node = elaborator.scalar(expr)?;
    if depends_on(&graph, |_| true)[node.index()] {
        let text = source.slice(expr.span).to_owned();
        return Ok(HyperValue::Schedule(Schedule { graph: Arc::new(graph), node, text }));
    }
    let value = crate::graph::evaluate::<f64>(&graph, &[node], &Default::default())[0][0];
    Ok(HyperValue::Constant(value))
}
