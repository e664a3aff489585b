//! Random formulas of the whole language, grown from a tape of choices: a shorter tape is a simpler formula, and so a
//! property test that fails shrinks to one.

use std::fmt::Write;

/// Choices, read one after the other; behind the end every choice is the first.
pub struct Tape<'a> {
    choices: &'a [u16],
    at: usize,
}

impl Tape<'_> {
    pub fn new(choices: &[u16]) -> Tape<'_> {
        Tape { choices, at: 0 }
    }

    fn choose(&mut self, count: usize) -> usize {
        self.at += 1;
        self.choices.get(self.at - 1).map_or(0, |&c| c as usize % count)
    }

    fn of<'t>(&mut self, list: &[&'t str]) -> &'t str {
        list[self.choose(list.len())]
    }
}

const FUNCTIONS: &[&str] = &[
    "sin", "cos", "exp", "abs", "sqrt", "log", "tanh", "sigmoid", "softplus", "relu", "atan", "cbrt", "log1p", "tan",
    "asin", "acos", "sinh", "cosh", "floor", "round", "sign",
];
const NUMBERS: &[&str] = &["1", "2", "0.5", "3", "10", "1e-3", "0.1", "7.25", "pi", "e", "n"];
const REDUCTIONS: &[&str] = &["sum", "prod", "mean", "min", "max", "norm", "logsumexp"];

/// What a subformula may use: the dimension, the bound indices with their ranges, and how deep it may grow.
struct Scope {
    n: usize,
    indices: Vec<(String, usize, usize)>,
    depth: usize,
}

/// A formula in `x`, which has `n` coordinates; a scalar.
pub fn formula(tape: &mut Tape<'_>, n: usize) -> String {
    let mut scope = Scope { n, indices: Vec::new(), depth: 5 };
    let mut text = String::new();
    for k in 0..tape.choose(3) {
        let body = if tape.choose(2) == 0 {
            scalar(tape, &mut scope)
        } else {
            format!("sum({})", vector(tape, &mut scope, n))
        };
        let _ = writeln!(text, "v{k} = {body}");
        // Bindings are used by what follows through addition below.
    }
    let bindings = text.lines().count();
    let mut value = scalar(tape, &mut scope);
    for k in 0..bindings {
        let _ = write!(value, " {} v{k}", tape.of(&["+", "-", "*"]));
    }
    text + &value
}

fn scalar(tape: &mut Tape<'_>, scope: &mut Scope) -> String {
    if scope.depth == 0 {
        return leaf(tape, scope);
    }
    scope.depth -= 1;
    let n = scope.n;
    let text = match tape.choose(14) {
        0 => leaf(tape, scope),
        1 => format!("({} {} {})", scalar(tape, scope), tape.of(&["+", "-", "*", "/"]), scalar(tape, scope)),
        2 => format!("{}({})", tape.of(FUNCTIONS), scalar(tape, scope)),
        3 | 4 => {
            let len = length(tape, n);
            format!("{}({})", tape.of(REDUCTIONS), vector(tape, scope, len))
        }
        5 => indexed(tape, scope),
        6 => format!("({})^{}", scalar(tape, scope), tape.of(&["2", "3", "0.5", "4", "(-1)", "1.5", "(x[0])"])),
        7 => format!("where({}, {}, {})", condition(tape, scope), scalar(tape, scope), scalar(tape, scope)),
        8 => format!("{}({}, {})", tape.of(&["min", "max", "atan2"]), scalar(tape, scope), scalar(tape, scope)),
        9 => {
            let len = length(tape, n);
            format!("dot({}, {})", vector(tape, scope, len), vector(tape, scope, len))
        }
        10 => format!("-{}", scalar(tape, scope)),
        11 => {
            let k = tape.choose(n);
            format!("({})[{k}]", vector(tape, scope, n))
        }
        12 => format!("clamp({}, -1, 2)", scalar(tape, scope)),
        _ => {
            let terms: Vec<String> = (0..2 + tape.choose(9)).map(|_| leaf(tape, scope)).collect();
            format!("({})", terms.join(tape.of(&[" + ", " * ", " - "])))
        }
    };
    scope.depth += 1;
    text
}

/// Lengths that vectors of the grammar have: all of `x`, all but one, every second.
fn length(tape: &mut Tape<'_>, n: usize) -> usize {
    match tape.choose(4) {
        2 if n > 1 => n - 1,
        3 => n.div_ceil(2),
        _ => n,
    }
}

fn leaf(tape: &mut Tape<'_>, scope: &Scope) -> String {
    match tape.choose(4) {
        0 => format!("x[{}]", tape.choose(scope.n)),
        1 => tape.of(NUMBERS).to_owned(),
        2 => format!("x[-{}]", 1 + tape.choose(scope.n)),
        _ => match scope.indices.last() {
            None => tape.of(NUMBERS).to_owned(),
            Some((name, low, high)) => match tape.choose(4) {
                // Subscripts only where every value of the index is inside.
                0 if *high <= scope.n => format!("x[{name}]"),
                1 if *low >= 1 && *high <= scope.n + 1 => format!("x[{name} - 1]"),
                2 if 2 * (*high - 1) < scope.n => format!("x[2*{name}]"),
                _ => name.clone(),
            },
        },
    }
}

/// `sum(j in range(a, b): body)`, and its kin.
fn indexed(tape: &mut Tape<'_>, scope: &mut Scope) -> String {
    if scope.indices.len() == 2 {
        return leaf(tape, scope);
    }
    let name = ["j", "k"][scope.indices.len()].to_owned();
    let low = tape.choose(3);
    let high = low + 1 + tape.choose(scope.n.max(2));
    let function = tape.of(&["sum", "prod", "mean", "min", "max"]);
    scope.indices.push((name.clone(), low, high));
    let body = match tape.choose(3) {
        0 => format!("sum({})", vector(tape, scope, scope.n)),
        _ => scalar(tape, scope),
    };
    scope.indices.pop();
    format!("{function}({name} in range({low}, {high}): {body})")
}

fn condition(tape: &mut Tape<'_>, scope: &mut Scope) -> String {
    let one = format!("{} {} {}", leaf(tape, scope), tape.of(&["<", "<=", ">", ">="]), leaf(tape, scope));
    match tape.choose(4) {
        0 => format!("not {one}"),
        1 => format!("{one} {} {} < {}", tape.of(&["and", "or"]), leaf(tape, scope), leaf(tape, scope)),
        _ => one,
    }
}

fn vector(tape: &mut Tape<'_>, scope: &mut Scope, len: usize) -> String {
    let n = scope.n;
    let atom = |tape: &mut Tape<'_>| {
        let mut options = vec![format!("range({}, {})", 1, len + 1)];
        if len == n {
            options.push("x".to_owned());
        }
        if len + 1 == n {
            options.extend(["x[1:]".to_owned(), "x[:-1]".to_owned()]);
        }
        if len == n.div_ceil(2) {
            options.push("x[::2]".to_owned());
        }
        if len <= 3 {
            options.push(format!("[{}]", ["1.5", "x[0]", "-2"][..len].join(", ")));
        }
        // The last is the most telling: a slice or the parameters themselves.
        let k = options.len() - 1 - tape.choose(options.len());
        options.swap_remove(k)
    };
    if scope.depth == 0 {
        return atom(tape);
    }
    scope.depth -= 1;
    let text = match tape.choose(8) {
        0 | 1 => atom(tape),
        2 => format!("({} {} {})", vector(tape, scope, len), tape.of(&["+", "-", "*", "/"]), vector(tape, scope, len)),
        3 => format!("({} {} {})", vector(tape, scope, len), tape.of(&["+", "*", "-"]), scalar(tape, scope)),
        4 => format!("{}({})", tape.of(FUNCTIONS), vector(tape, scope, len)),
        5 => format!("cumsum({})", vector(tape, scope, len)),
        6 => format!("({})^{}", vector(tape, scope, len), tape.of(&["2", "3", "0.5"])),
        _ => {
            let (a, b) = (vector(tape, scope, len), vector(tape, scope, len));
            format!("where({} < {}, {a}, {b})", atom(tape), scalar(tape, scope))
        }
    };
    scope.depth += 1;
    text
}
