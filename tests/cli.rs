//! The built binary, driven as a script drives it: documents, exit codes, files, signals.

#[path = "cli/documents.rs"]
mod documents;
#[path = "cli/files.rs"]
mod files;
#[path = "cli/map.rs"]
mod map;
#[path = "cli/minima.rs"]
mod minima;
#[path = "cli/mistakes.rs"]
mod mistakes;
#[path = "cli/quota.rs"]
mod quota;
#[path = "cli/survey.rs"]
mod survey;
#[path = "cli/tables.rs"]
mod tables;

use serde_json::Value;
use std::process::{Command, Output};

/// The binary with these arguments, never on a GPU unless they say so.
fn catchment(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_catchment"));
    command.args(args).env("CATCHMENT_GPU", "off").env_remove("NO_COLOR");
    command
}

fn output(args: &[&str]) -> Output {
    catchment(args).output().unwrap()
}

/// What a command prints that must succeed.
fn stdout(args: &[&str]) -> String {
    let output = output(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The one document that a command prints.
fn document(args: &[&str]) -> Value {
    let text = stdout(&[args, &["--json"]].concat());
    assert_eq!(text.lines().count(), 1, "{args:?}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{args:?}: {error}\n{text}"))
}
