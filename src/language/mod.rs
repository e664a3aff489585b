//! The formula language: text to syntax to graph, and what is said when it is wrong.

pub mod ast;
mod diagnostic;
mod elaborate;
mod lexer;
mod names;
mod parser;

pub use diagnostic::{Diagnostic, DiagnosticKind, FileKind, Source, nearest};
pub(crate) use elaborate::Elaborator;
pub use elaborate::MAX_NODES;
pub use names::free_names;
pub use parser::{parse_body, parse_call, parse_chain, parse_formula, parse_optimizer, parse_surface};
