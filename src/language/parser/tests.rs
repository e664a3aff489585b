//! What every part of the parser promises: a tree that can be read back, clear mistakes, and no text that breaks it.

use super::super::ast::{Binding, Expr, ExprKind, Infix, Prefix, Subscript};
use super::super::lexer::{NESTING_LIMIT, TEXT_LIMIT, TOKEN_LIMIT};
use super::expression::DEPTH_LIMIT;
use super::*;
use proptest::prelude::*;

/// The tree with every bracket written: `-x^2` is `(- (^ x 2))`.
pub(super) fn show(expr: &Expr) -> String {
    let all = |list: &[Expr]| list.iter().map(show).collect::<Vec<_>>().join(", ");
    match &expr.kind {
        ExprKind::Number(value) => format!("{value}"),
        ExprKind::Name(name) => name.clone(),
        ExprKind::Prefix(Prefix::Negate, operand) => format!("(- {})", show(operand)),
        ExprKind::Prefix(Prefix::Not, operand) => format!("(not {})", show(operand)),
        ExprKind::Chain(first, rest) => {
            let rest = rest.iter().map(|(op, e)| format!(" {} {}", sign(*op), show(e)));
            format!("({}{})", show(first), rest.collect::<String>())
        }
        ExprKind::Power(base, exponent) => format!("(^ {} {})", show(base), show(exponent)),
        ExprKind::Call { function, arguments, index } => {
            let index = index.as_ref().map_or(String::new(), |index| {
                let (start, end) = (show(&index.start), show(&index.end));
                format!("{} in {start}..{end}: ", index.name.text)
            });
            format!("{}({index}{})", function.text, all(arguments))
        }
        ExprKind::Subscript(base, list) => {
            let list: Vec<_> = list.iter().map(show_subscript).collect();
            format!("{}[{}]", show(base), list.join(", "))
        }
        ExprKind::List(items) => format!("[{}]", all(items)),
    }
}

fn show_subscript(subscript: &Subscript) -> String {
    let bound = |bound: &Option<Expr>| bound.as_ref().map_or("_".into(), show);
    match subscript {
        Subscript::At(index) => show(index),
        Subscript::Slice { start, end, step, .. } => format!("{}:{}:{}", bound(start), bound(end), bound(step)),
    }
}

fn sign(op: Infix) -> &'static str {
    match op {
        Infix::Add => "+",
        Infix::Subtract => "-",
        Infix::Multiply => "*",
        Infix::Divide => "/",
        Infix::Matmul => "@",
        Infix::Power => "^",
        Infix::Less => "<",
        Infix::LessEqual => "<=",
        Infix::Greater => ">",
        Infix::GreaterEqual => ">=",
        Infix::Equal => "==",
        Infix::NotEqual => "!=",
        Infix::And => "and",
        Infix::Or => "or",
    }
}

pub(super) fn show_all(bindings: &[Binding]) -> String {
    let one = |binding: &Binding| format!("{}={}", binding.name.text, show(&binding.value));
    bindings.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Each text's mistake, as `line:column title | label` under the caret's place.
pub(super) fn assert_mistakes<T>(parse: fn(&Source) -> Result<T, Box<Diagnostic>>, table: &[(&str, &str)]) {
    for (text, expected) in table {
        let Err(mistake) = parse(&Source::new("t", *text)) else {
            panic!("no mistake found in {text:?}");
        };
        let drawn = mistake.to_string();
        let lines: Vec<&str> = drawn.lines().collect();
        let [title, place, _, _, marks] = lines[..] else {
            panic!("not five lines:\n{drawn}");
        };
        let place = place.trim_start().trim_start_matches("--> t:");
        let title = title.trim_start_matches("error: ");
        let marks = marks.trim_start_matches([' ', '|']);
        assert_eq!(format!("{place} {title} | {marks}"), *expected, "\n{drawn}");
        #[cfg(feature = "report")]
        assert!(mistake.render(false).contains(&mistake.title()));
    }
}

/// Runs in a thread of the size that Rust gives by default.
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    thread.spawn(test).unwrap().join().unwrap();
}

/// Depth of the tree, by plain recursion as a later stage would.
fn depth(expr: &Expr) -> usize {
    let inner = match &expr.kind {
        ExprKind::Number(_) | ExprKind::Name(_) => 0,
        ExprKind::Prefix(_, operand) => depth(operand),
        ExprKind::Chain(first, rest) => {
            let rest = rest.iter().map(|(_, operand)| depth(operand)).max();
            depth(first).max(rest.unwrap_or(0))
        }
        ExprKind::Power(base, exponent) => depth(base).max(depth(exponent)),
        ExprKind::Call { arguments, .. } => arguments.iter().map(depth).max().unwrap_or(0),
        ExprKind::Subscript(base, _) => depth(base),
        ExprKind::List(items) => items.iter().map(depth).max().unwrap_or(0),
    };
    inner + 1
}

fn formula(text: &str) -> Result<Expr, DiagnosticKind> {
    parse_formula(&Source::new("t", text)).map_err(|mistake| mistake.kind)
}

#[test]
fn chains_of_terms_are_flat_up_to_the_limit_of_tokens() {
    on_a_small_stack(|| {
        let expr = formula(&("x+".repeat(49_999) + "x")).unwrap();
        let ExprKind::Chain(_, rest) = &expr.kind else {
            panic!("not a chain");
        };
        assert_eq!((rest.len(), depth(&expr)), (49_999, 2));
        assert_eq!(expr.clone(), expr);
        let limit = TOKEN_LIMIT;
        let kind = formula(&("x+".repeat(99_999) + "x")).unwrap_err();
        assert_eq!(kind, DiagnosticKind::TooManyTokens { limit });
        let (bytes, limit) = (1 << 20, TEXT_LIMIT);
        let kind = formula(&"x".repeat(bytes)).unwrap_err();
        assert_eq!(kind, DiagnosticKind::TextTooLong { bytes, limit });
    });
}

#[test]
fn nesting_of_every_sort_is_limited() {
    let sorts = [
        ("(", ")"),
        ("[", "]"),
        ("f(", ")"),
        ("sum(j in range(0, 2): ", ")"),
        ("sum(j in range(0, ", "): j)"),
        ("x[", "]"),
        ("x[:", "]"),
        ("-", ""),
        ("not ", ""),
        ("x^", ""),
        ("2^-", ""),
        ("", "[0]"),
        ("(1 + 2*", ")"),
        ("(a or b and not 1 < 2 + 3*-2^", ")"),
        ("(", "*2 + 1 < 3 and b or c)"),
        ("f(a or b and not 1 < 2 + 3*-2^", ")"),
        ("[a or b and not 1 < 2 + 3*-x[0]^", "]"),
    ];
    on_a_small_stack(move || {
        for (before, after) in sorts {
            let nested = |times: usize| before.repeat(times) + "x" + &after.repeat(times);
            let deepest = (1..=NESTING_LIMIT).take_while(|&times| formula(&nested(times)).is_ok());
            let deepest = deepest.last().unwrap();
            assert!(deepest >= 25, "{before}: {deepest}");
            let expr = formula(&nested(deepest)).unwrap();
            assert!(depth(&expr) <= DEPTH_LIMIT);
            assert_eq!(expr.clone(), expr);
            for times in [deepest + 1, NESTING_LIMIT, NESTING_LIMIT + 1, 5_000] {
                if times <= deepest {
                    continue;
                }
                let kind = formula(&nested(times)).unwrap_err();
                let is_limit = matches!(kind, DiagnosticKind::TooDeep { .. } | DiagnosticKind::TooManyTokens { .. });
                assert!(is_limit, "{before} {times}: {kind:?}");
            }
        }
        let parens = |times: usize| "(".repeat(times) + "x" + &")".repeat(times);
        assert!(formula(&parens(NESTING_LIMIT)).is_ok());
        let limit = NESTING_LIMIT;
        let kind = formula(&parens(10_000)).unwrap_err();
        assert_eq!(kind, DiagnosticKind::TooDeep { limit });
    });
}

/// The files of the project's own catalog.
fn catalog(folder: &str) -> Vec<Source> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/catalog/").to_owned() + folder;
    let entries = std::fs::read_dir(folder).unwrap();
    let read = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        Source::new(path.display().to_string(), text)
    };
    let sources: Vec<_> = entries.map(|entry| read(entry.unwrap().path())).collect();
    assert!(sources.len() > 10, "the catalog has gone");
    sources
}

#[test]
fn the_catalog_parses_and_every_entry_has_a_summary() {
    for source in catalog("surfaces") {
        let surface = parse_surface(&source).unwrap_or_else(|mistake| panic!("{mistake}"));
        assert!(!surface.comments.is_empty() && !surface.parameters.is_empty());
    }
    for source in catalog("optimizers") {
        let optimizer = parse_optimizer(&source).unwrap_or_else(|mistake| panic!("{mistake}"));
        assert!(!optimizer.comments.is_empty());
    }
}

/// Every parser on one text: nothing panics, and every mistake can be drawn.
fn survive(text: &str) {
    let source = Source::new("t", text);
    let mistakes = [
        parse_surface(&source).err(),
        parse_body(&source).err(),
        parse_formula(&source).err(),
        parse_optimizer(&source).err(),
        parse_chain(&source).err(),
        parse_call(&source).err(),
    ];
    for mistake in mistakes.into_iter().flatten() {
        assert!(mistake.span.start <= mistake.span.end);
        assert!(mistake.span.end as usize <= text.len());
        let drawn = mistake.to_string();
        assert_eq!(drawn.lines().count(), 5, "{drawn}");
        assert!(!drawn.contains(|c: char| c.is_control() && c != '\n'));
        #[cfg(feature = "report")]
        assert!(mistake.render(false).contains(&mistake.title()));
    }
}

#[test]
fn single_characters_of_every_sort_survive() {
    for code in (0..0x700).chain(0x2000..0x2300).chain(0xfe00..0x1_0010).chain(0x1_f300..0x1_f310) {
        if let Some(character) = char::from_u32(code) {
            survive(&format!("a{character}"));
        }
    }
}

fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "x",
        "n",
        "a",
        "sum",
        "1",
        "2.5",
        "1e-3",
        "+",
        "-",
        "*",
        "/",
        "^",
        "@",
        "<",
        "<=",
        "==",
        "=",
        "(",
        ")",
        "[",
        "]",
        ",",
        ":",
        ";",
        "|",
        "\n",
        " ",
        "# c\n",
        "in",
        "and",
        "or",
        "not",
        "option",
        "data",
        "matrix",
        "minimum",
        "at",
        "hyper",
        "state",
        "log",
        "step",
        "range",
        "pi",
        "é",
        "\t",
        "x[n] in [0, 1]\n",
        "a in [0, 1]; ",
        "sum(j in range(0, n): ",
        "hyper a = 1\n",
        "x = ",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_survives(text in any::<String>()) {
        survive(&text);
    }

    #[test]
    fn any_bytes_survive(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        survive(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_pieces_survive(pieces in prop::collection::vec(piece(), 0..40)) {
        survive(&pieces.concat());
        survive(&pieces.join(" "));
    }

    #[test]
    fn written_brackets_change_nothing(pieces in prop::collection::vec(piece(), 1..12)) {
        // Whatever parses, parses the same in brackets, and its span covers the text.
        let text = pieces.join(" ");
        if let Ok(expr) = formula(text.trim())
            && !text.contains(['\n', ';', '#'])
        {
            prop_assert_eq!(show(&formula(&format!("({text})")).unwrap()), show(&expr));
            prop_assert_eq!(expr.span, Span { start: 0, end: text.trim().len() as u32 });
        }
    }
}
