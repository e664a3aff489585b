//! Hand-written WGSL, and the part of it that a kernel uses: an unused function costs compile time on every start.

use std::collections::{HashMap, HashSet};

const MATH: &str = include_str!("../../shaders/math.wgsl");
const PHILOX: &str = include_str!("../../shaders/philox.wgsl");
const ROWS: &str = include_str!("../../shaders/rows.wgsl");
const STARTS: &str = include_str!("../../shaders/starts.wgsl");
const COMMON: &str = include_str!("../../shaders/common.wgsl");
/// Entry points, with `//@` lines for generated parts.
pub(super) const BEGIN: &str = include_str!("../../shaders/begin.wgsl");
pub(super) const COMPACT: &str = include_str!("../../shaders/compact.wgsl");
pub(super) const DESCEND: &str = include_str!("../../shaders/descend.wgsl");
pub(super) const FIT: &str = include_str!("../../shaders/fit.wgsl");
pub(super) const EVALUATE: &str = include_str!("../../shaders/evaluate.wgsl");
pub(super) const EVALUATE_SPREAD: &str = include_str!("../../shaders/evaluate_spread.wgsl");
pub(super) const SPREAD: &str = include_str!("../../shaders/spread.wgsl");

/// A declaration at the top level of a file.
struct Item<'a> {
    name: &'a str,
    text: &'a str,
}

/// Cuts a file into its top-level declarations; each begins at the start of a line.
fn items(source: &'static str) -> Vec<Item<'static>> {
    let begins = |line: &str| ["fn ", "const ", "struct ", "var<", "@group"].iter().any(|k| line.starts_with(k));
    let mut starts = Vec::new();
    let mut at = 0;
    for line in source.split_inclusive('\n') {
        if begins(line) {
            starts.push(at);
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).copied().chain([source.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(&start, end)| {
            let text = &source[start..end];
            // A comment that stands before the next declaration belongs to that one.
            let code =
                text.rfind('}').map(|i| i + 1).filter(|_| text.starts_with("fn ") || text.starts_with("struct "));
            let text = &text[..code.unwrap_or_else(|| text.find(';').map_or(text.len(), |i| i + 1))];
            Item { name: declared(text), text }
        })
        .collect()
}

/// The name that a declaration declares.
fn declared(text: &str) -> &str {
    let rest = ["fn ", "const ", "struct "].iter().find_map(|k| text.strip_prefix(k));
    let rest = rest.or_else(|| text.find("> ").map(|i| &text[i + 2..])).unwrap_or(text);
    identifiers(rest).next().unwrap_or("")
}

fn identifiers(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|w| w.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'))
}

/// The declarations that `code` needs, in the order of their files, in front of it.
pub(super) fn with_library(code: &str) -> String {
    let all: Vec<Item<'static>> = [MATH, PHILOX, STARTS, COMMON, ROWS].into_iter().flat_map(items).collect();
    let by_name: HashMap<&str, usize> = all.iter().enumerate().map(|(i, item)| (item.name, i)).collect();
    let mut needed: HashSet<usize> = HashSet::new();
    let mut todo: Vec<&str> = vec![code];
    while let Some(text) = todo.pop() {
        for word in identifiers(text) {
            if let Some(&i) = by_name.get(word)
                && needed.insert(i)
            {
                todo.push(all[i].text);
            }
        }
    }
    let mut out = String::new();
    for (i, item) in all.iter().enumerate() {
        if needed.contains(&i) {
            out.push_str(item.text.trim_end());
            out.push_str(if item.text.contains('{') { "\n\n" } else { "\n" });
        }
    }
    out.push_str(code);
    out
}

/// Loops of at most so many turns are left for a compiler to write out.
const WRITTEN_OUT: u32 = 4;

/// Private arrays are at least so long.
const LEAST_LONG: u32 = 33;

/// A module whose parameters, and whose longer loops' turns, no compiler takes for constants, and that has no short private array.
///
/// Mesa's software driver reads a uniform buffer when a dispatch is recorded and, where enough of a shader depends on it,
/// compiles the shader anew with the values that it found: for every number of steps and slots there is, and after every
/// dispatch over other buffers. It looks at loads from constant places only, so the place is made one that is computed: the
/// number of workgroups in the second direction is never above 65,535.
pub(super) fn hidden(text: &str) -> String {
    const UNIFORM: &str = "var<uniform> ";
    let declared = text.find(UNIFORM).and_then(|i| text[i + UNIFORM.len()..].split_once(';'));
    let Some((name, of)) = declared.and_then(|(item, _)| item.split_once(": ")) else { return text.to_owned() };
    let given = format!("var<uniform> given: array<{of}, 1>;\nvar<private> {name}: {of};");
    let read = format!(") {{\n    {name} = given[groups.y >> 16u];\n");
    let changed = |line: &str| bounded(line).or_else(|| lengthened(line)).unwrap_or_else(|| line.to_owned()) + "\n";
    let text = &text.lines().map(changed).collect::<String>();
    let (declarations, entry) = text.split_at(text.find("@compute").unwrap_or(text.len()));
    declarations.replace(&format!("{UNIFORM}{name}: {of};"), &given) + &entry.replacen(") {\n", &read, 1)
}

/// A line of a longer loop, whose turns no compiler knows then. Mesa writes loops out, of whatever length their bodies are, up to 32
/// turns, which it then compiles for as long as so many bodies take.
fn bounded(line: &str) -> Option<String> {
    let (head, tail) = line.split_once(" < ").filter(|(head, _)| head.trim_start().starts_with("for (var "))?;
    let (turns, rest) = tail.split_once(';')?;
    let long = turns.parse::<u32>().is_ok_and(|turns| turns > WRITTEN_OUT);
    long.then(|| format!("{head} < {turns} + i32(params.zero);{rest}"))
}

/// A line of a short private array, which is longer than 32 numbers then. Mesa writes an access to a shorter one as a tree of branches over
/// all its places: Schwefel's problem 2.22 took 0.45 s from formula to pipelines in 32 dimensions, where arrays have 32 numbers, 0.22 s in
/// 31 and 33.
fn lengthened(line: &str) -> Option<String> {
    let (head, tail) = line.split_once(": array<f32, ").filter(|(head, _)| head.trim_start().starts_with("var "))?;
    let (len, rest) = tail.split_once('>')?;
    let short = len.parse::<u32>().is_ok_and(|len| len < LEAST_LONG);
    short.then(|| format!("{head}: array<f32, {LEAST_LONG}>{rest}"))
}

/// Puts generated parts where a template has `//@ name`, at the line's indentation.
pub(super) fn filled(template: &str, parts: &[(&str, String)]) -> String {
    let mut out = String::new();
    for line in template.lines() {
        match line.trim_start().strip_prefix("//@ ") {
            Some(name) => {
                let indent = &line[..line.len() - line.trim_start().len()];
                let part = parts.iter().find(|p| p.0 == name.trim()).map_or("", |p| &p.1);
                for generated in part.lines() {
                    out.push_str(indent);
                    out.push_str(generated);
                    out.push('\n');
                }
            }
            None => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_used_comes_along() {
        let text = with_library("fn main() { let y = m_exp(1.0); }");
        assert!(text.contains("fn m_exp(") && text.contains("const M_MAGIC:") && !text.contains("fn m_pow("));
    }

    #[test]
    fn short_private_arrays_are_lengthened() {
        let text = "@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage> xs: array<f32>;\n\
            var<workgroup> w: array<f32, 8>;\n@compute @workgroup_size(64)\nfn f() {\n    var x: array<f32, 8>;\n    var y: array<f32, 40>;\n}\n";
        let hidden = hidden(text);
        for line in ["var<workgroup> w: array<f32, 8>;", "    var x: array<f32, 33>;", "    var y: array<f32, 40>;"] {
            assert!(hidden.lines().any(|l| l == line), "{line} in\n{hidden}");
        }
    }

    #[test]
    fn every_declaration_has_a_name() {
        for item in [MATH, PHILOX, STARTS, COMMON, ROWS].into_iter().flat_map(items) {
            assert!(!item.name.is_empty(), "{}", item.text);
        }
    }
}
