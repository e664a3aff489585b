//! `mlp(layers=[2, 16, 1], activation=tanh, loss=logistic)`: a perceptron's loss over a table, written out as a surface's text.
//!
//! Every restart trains its own network. Hidden layers use the activation, the last one is linear. Weights start
//! uniformly in `[-r, r]`: `r = √(6/(fan_in + fan_out))` for `init=glorot` (Glorot and Bengio, AISTATS 2010; the default for
//! tanh and sigmoid), `√(6/fan_in)` for `init=he` (He et al., ICCV 2015; the default for relu and gelu); biases start at 0.
//! `gelu` is its tanh form (Hendrycks and Gimpel, 2016, eq. 2).

use crate::error::Error;
use crate::language::ast::{Binding, CallSource, Expr, ExprKind, Span};
use crate::language::{Diagnostic, DiagnosticKind, Source, nearest};
use std::fmt::Write;

/// The name under which it is called.
pub(super) const NAME: &str = "mlp";

const ARGUMENTS: [&str; 4] = ["layers", "activation", "loss", "init"];
const ACTIVATIONS: [&str; 4] = ["tanh", "relu", "sigmoid", "gelu"];
const LOSSES: [&str; 3] = ["squared", "logistic", "softmax"];
const INITS: [&str; 2] = ["glorot", "he"];

/// Reads a call's arguments.
struct Call<'a> {
    source: &'a Source,
    arguments: &'a [Binding],
}

impl Call<'_> {
    fn fail<T>(&self, span: Span, kind: DiagnosticKind) -> Result<T, Error> {
        Err(Box::new(Diagnostic::new(kind, self.source, span)).into())
    }

    fn find(&self, name: &str) -> Option<&Expr> {
        self.arguments.iter().rev().find(|a| a.name.text == name).map(|a| &a.value)
    }

    /// One of a few words; the first where nothing is said.
    fn word(&self, name: &str, among: &[&'static str]) -> Result<Option<&'static str>, Error> {
        let Some(expr) = self.find(name) else { return Ok(None) };
        let said = self.source.slice(expr.span);
        match among.iter().find(|&&w| w == said) {
            Some(word) => Ok(Some(word)),
            None => {
                let expected = among.join(", ");
                let kind = DiagnosticKind::UnknownChoice { found: said.to_owned(), expected };
                self.fail(expr.span, kind)
            }
        }
    }

    fn layers(&self, whole: Span) -> Result<Vec<u32>, Error> {
        let kind = || DiagnosticKind::UnknownChoice {
            found: "layers".to_owned(),
            expected: "at least two sizes, as in `layers=[2, 16, 1]`".to_owned(),
        };
        let Some(list) = self.find("layers") else { return self.fail(whole, kind()) };
        let ExprKind::List(items) = &list.kind else { return self.fail(list.span, kind()) };
        if items.len() < 2 {
            return self.fail(list.span, kind());
        }
        let size = |item: &Expr| match item.kind {
            ExprKind::Number(v) if v >= 1.0 && v == v.round() && v <= 1e6 => Ok(v as u32),
            ExprKind::Number(value) => self.fail(item.span, DiagnosticKind::ExpectedInteger { value }),
            _ => self.fail(item.span, kind()),
        };
        items.iter().map(size).collect()
    }
}

/// The surface's text and its label.
///
/// # Errors
/// [`Error::Formula`], pointing into the call.
pub(super) fn text(source: &Source, call: &CallSource) -> Result<String, Error> {
    let read = Call { source, arguments: &call.arguments };
    for argument in &call.arguments {
        let name = &argument.name.text;
        if !ARGUMENTS.contains(&name.as_str()) {
            let nearest = nearest(name, ARGUMENTS.into_iter());
            let kind = DiagnosticKind::UnknownOption { name: name.clone(), owner: NAME.to_owned(), nearest };
            return read.fail(argument.name.span, kind);
        }
    }
    let layers = read.layers(call.span)?;
    let activation = read.word("activation", &ACTIVATIONS)?.unwrap_or("tanh");
    let outputs = layers[layers.len() - 1];
    let loss = read.word("loss", &LOSSES)?.unwrap_or("squared");
    if loss == "logistic" && outputs != 1 {
        let span = read.find("layers").map_or(call.span, |e| e.span);
        let found = format!("{outputs} outputs");
        return read
            .fail(span, DiagnosticKind::UnknownChoice { found, expected: "1 for the logistic loss".to_owned() });
    }
    if loss == "softmax" && outputs < 2 {
        let span = read.find("layers").map_or(call.span, |e| e.span);
        let expected = "2 or more for the softmax loss".to_owned();
        return read.fail(span, DiagnosticKind::UnknownChoice { found: "1 output".to_owned(), expected });
    }
    let usual = if matches!(activation, "relu" | "gelu") { "he" } else { "glorot" };
    let init = read.word("init", &INITS)?.unwrap_or(usual);
    Ok(written(&layers, activation, loss, init))
}

fn written(layers: &[u32], activation: &str, loss: &str, init: &str) -> String {
    let (inputs, outputs) = (layers[0], layers[layers.len() - 1]);
    let sizes = layers.iter().map(u32::to_string).collect::<Vec<_>>().join("-");
    let law = match init {
        "he" => "He et al.'s bound sqrt(6/fan_in)",
        _ => "Glorot and Bengio's bound sqrt(6/(fan_in + fan_out))",
    };
    let answer = match loss {
        "logistic" => "y is -1 or 1",
        "softmax" => "y is the number of the class, from 0",
        _ => "the mean over rows of the squared distance",
    };
    let mut text = format!("# Perceptron {sizes}: {activation} units, {loss} loss ({answer}).\n");
    let _ = writeln!(text, "# Weights start uniformly within {law}, biases at 0.");
    for (l, pair) in layers.windows(2).enumerate() {
        let (from, to, l) = (pair[0], pair[1], l + 1);
        let fans = if init == "he" { from } else { from + to };
        let bound = (6.0 / f64::from(fans)).sqrt();
        let _ = writeln!(text, "W{l}[{to}, {from}] in [-{bound:.9}, {bound:.9}];  b{l}[{to}] in [0, 0]");
    }
    let y = if loss == "squared" && outputs > 1 { format!("y[{outputs}]") } else { "y".to_owned() };
    let _ = writeln!(text, "data u[{inputs}], {y}\n");
    let mut below = "u".to_owned();
    for l in 1..layers.len() {
        let linear = format!("W{l} @ {below} + b{l}");
        if l == layers.len() - 1 {
            let _ = writeln!(text, "p = {linear}");
        } else if activation == "gelu" {
            let _ = writeln!(text, "z{l} = {linear}");
            let _ = writeln!(text, "h{l} = 0.5*z{l}*(1 + tanh(sqrt(2/pi)*(z{l} + 0.044715*z{l}^3)))");
        } else {
            let _ = writeln!(text, "h{l} = {activation}({linear})");
        }
        below = format!("h{l}");
    }
    text.push_str(&match loss {
        "logistic" => "mean_rows(softplus(-y*p[0]))".to_owned(),
        "softmax" => format!("mean_rows(logsumexp(p) - sum(where(range(0, {outputs}) == y, p, 0)))"),
        _ if outputs == 1 => "mean_rows((p[0] - y)^2)".to_owned(),
        _ => "mean_rows(sum((p - y)^2))".to_owned(),
    });
    text.push('\n');
    text
}
