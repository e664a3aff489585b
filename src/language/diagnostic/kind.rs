//! Every mistake that a user's text can contain, with what is said about it.

use std::fmt;

/// Longest piece of a user's text quoted in a message, in characters.
const QUOTE_CHARACTERS: usize = 60;
/// Names longer than this get no suggestion: comparing them costs the product of the lengths.
const SUGGESTION_BYTES: usize = 64;

/// What a text is meant to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A `.surf` file.
    Surface,
    /// A `.opt` file.
    Optimizer,
    /// A formula on the command line.
    Formula,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Surface => "a surface",
            Self::Optimizer => "an optimizer",
            Self::Formula => "a formula",
        })
    }
}

/// What is wrong. `Display` is the title of the diagnostic; [`label`](Self::label) stands beside the caret.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DiagnosticKind {
    // The text as characters.
    /// The text is longer than any formula needs.
    #[error("the text is too long")]
    TextTooLong {
        /// Its length.
        bytes: usize,
        /// The longest allowed.
        limit: usize,
    },
    /// The text has more tokens than any formula needs.
    #[error("the text has too many parts")]
    TooManyTokens {
        /// The most allowed.
        limit: usize,
    },
    /// A character that begins nothing.
    #[error("unexpected character `{character}`")]
    UnexpectedCharacter {
        /// The character.
        character: char,
    },
    /// An operator or sign of another language.
    #[error("{} is not part of the language", quoted(.written))]
    ForeignOperator {
        /// As written.
        written: String,
        /// What to do instead, a full phrase.
        instead: &'static str,
    },
    /// A literal that is not a number.
    #[error("{} is not a number", quoted(.text))]
    InvalidNumber {
        /// As written.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A literal beyond the largest double.
    #[error("the number is too large")]
    NumberTooLarge,
    /// A literal that is not zero but would be read as zero.
    #[error("the number is too small")]
    NumberTooSmall,

    // The text as a formula.
    /// A token where the grammar has no place for it.
    #[error("unexpected {found}")]
    UnexpectedToken {
        /// What stands there: ``name `x` ``, `end of the line`.
        found: String,
        /// What could stand there.
        expected: String,
    },
    /// Two values side by side.
    #[error("missing operator before {found}")]
    MissingOperator {
        /// The second value.
        found: String,
    },
    /// A bracket that nothing closes; the span is the bracket's.
    #[error("unclosed `{bracket}`")]
    UnclosedBracket {
        /// The opening bracket.
        bracket: char,
    },
    /// A closing bracket with no opening one.
    #[error("unexpected `{bracket}`")]
    UnopenedBracket {
        /// The closing bracket.
        bracket: char,
    },
    /// A closing bracket of the wrong sort.
    #[error("`{close}` does not close `{open}`")]
    MismatchedBracket {
        /// The opening bracket.
        open: char,
        /// The one found.
        close: char,
    },
    /// Brackets, signs, powers or operators within each other beyond a limit.
    #[error("the formula is nested too deeply")]
    TooDeep {
        /// The deepest allowed.
        limit: usize,
    },
    /// `a < b < c`.
    #[error("comparisons do not chain")]
    ChainedComparison,
    /// A positional argument in a call that takes named ones only.
    #[error("an argument without a name")]
    UnnamedArgument,
    /// A surface without a final expression, or a formula that ends after its bindings.
    #[error("the value is missing")]
    MissingValue {
        /// What the text is meant to be.
        file: FileKind,
    },
    /// A bare expression that is not the last statement.
    #[error("only the last statement can be a bare expression")]
    ValueNotLast,
    /// An optimizer file that assigns nothing.
    #[error("nothing is assigned")]
    MissingAssignment,
    /// A bare expression in an optimizer file; the span is the expression's.
    #[error("an optimizer has no value")]
    UnassignedExpression,
    /// A statement of another sort of file.
    #[error("`{keyword}` does not belong in {file}")]
    MisplacedKeyword {
        /// The word that begins or makes the statement.
        keyword: &'static str,
        /// What the text is meant to be.
        file: FileKind,
    },
    /// A name given twice.
    #[error("{} is already defined", quoted(.name))]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A name that the language keeps for itself.
    #[error("{} is a reserved name", quoted(.name))]
    ReservedName {
        /// The name.
        name: String,
    },
    /// An assignment to a given name or a hyperparameter.
    #[error("{} cannot be assigned", quoted(.name))]
    ReadOnlyName {
        /// The name.
        name: String,
    },
    /// A parameter without `in [lo, hi]`.
    #[error("parameter {} has no domain", quoted(.name))]
    MissingDomain {
        /// The parameter.
        name: String,
    },
    /// A dimension that is not a whole number of 1 or more.
    #[error("{} is not a dimension", quoted(.text))]
    InvalidDimension {
        /// As written.
        text: String,
    },

    // The formula's meaning.
    /// A name that nothing defines.
    #[error("unknown name {}", quoted(.name))]
    UnknownName {
        /// The name.
        name: String,
        /// A defined name much like it.
        nearest: Option<String>,
    },
    /// A function that the language does not have.
    #[error("unknown function {}", quoted(.name))]
    UnknownFunction {
        /// The name.
        name: String,
        /// A function of a name much like it.
        nearest: Option<String>,
    },
    /// An entry that is neither in the catalog nor a file.
    #[error("unknown {what} {}", quoted(.name))]
    UnknownEntry {
        /// `surface`, `optimizer`.
        what: &'static str,
        /// The name.
        name: String,
        /// An entry of a name much like it.
        nearest: Option<String>,
    },
    /// A hyperparameter that the optimizer does not have.
    #[error("{} has no hyperparameter {}", quoted(.owner), quoted(.name))]
    UnknownHyper {
        /// The name.
        name: String,
        /// The optimizer.
        owner: String,
        /// A hyperparameter of a name much like it.
        nearest: Option<String>,
    },
    /// An option that the surface does not have.
    #[error("{} has no option {}", quoted(.owner), quoted(.name))]
    UnknownOption {
        /// The name.
        name: String,
        /// The surface.
        owner: String,
        /// An option of a name much like it.
        nearest: Option<String>,
    },
    /// A call with too few or too many arguments.
    #[error("{} takes {expected}, not {found}", quoted(.function))]
    WrongArgumentCount {
        /// The function.
        function: String,
        /// How many it takes: `1 argument`, `2 or 3 arguments`.
        expected: String,
        /// How many there are.
        found: usize,
    },
    /// An index clause in a function that has none.
    #[error("{} takes no index", quoted(.function))]
    IndexNotAllowed {
        /// The function.
        function: String,
    },
    /// Operands of shapes that do not go together.
    #[error("the shapes of {operation} do not match: {left} and {right}")]
    ShapeMismatch {
        /// The operation: `` `+` ``, `` `dot` ``.
        operation: String,
        /// The left operand's shape.
        left: String,
        /// The right operand's shape.
        right: String,
    },
    /// A vector or matrix where a number is needed.
    #[error("expected a scalar, found {found}")]
    ExpectedScalar {
        /// What it is: `a vector of 3`.
        found: String,
    },
    /// A number or matrix where a vector is needed.
    #[error("expected a vector, found {found}")]
    ExpectedVector {
        /// What it is.
        found: String,
    },
    /// A number or vector where a matrix is needed.
    #[error("expected a matrix, found {found}")]
    ExpectedMatrix {
        /// What it is.
        found: String,
    },
    /// A number where a condition is needed.
    #[error("expected a condition, found a number")]
    ExpectedBoolean,
    /// A condition where a number is needed.
    #[error("expected a number, found a condition")]
    UnexpectedBoolean,
    /// A number that is not whole where an index or a count is needed.
    #[error("expected a whole number, found {value}")]
    ExpectedInteger {
        /// The number.
        value: f64,
    },
    /// Something that varies where a constant is needed.
    #[error("{what} must be a constant")]
    NotConstant {
        /// What must be one: `an index`, `a domain`.
        what: String,
    },
    /// A subscript beyond the vector's ends.
    #[error("index {index} is out of range")]
    IndexOutOfRange {
        /// The index, as written.
        index: i64,
        /// The length it indexes.
        len: u32,
    },
    /// A range or slice without elements.
    #[error("the range from {start} to {end} is empty")]
    EmptyRange {
        /// First element.
        start: i64,
        /// One past the last.
        end: i64,
    },
    /// `[]`.
    #[error("the list is empty")]
    EmptyList,
    /// A domain whose lower end is not below its upper end.
    #[error("the domain [{lo}, {hi}] is empty")]
    EmptyDomain {
        /// Lower end.
        lo: f64,
        /// Upper end.
        hi: f64,
    },
    /// A log-uniform domain that reaches zero or below.
    #[error("a `log` domain cannot begin at {lo}")]
    LogDomain {
        /// Lower end.
        lo: f64,
    },
    /// Neither one interval nor one a coordinate.
    #[error("{found} intervals for {expected} coordinates")]
    IntervalCount {
        /// How many coordinates there are.
        expected: u32,
        /// How many intervals there are.
        found: usize,
    },
    /// A constant formula that gives infinity or NaN.
    #[error("the constant is {value}")]
    NonFiniteConstant {
        /// Its value.
        value: f64,
    },
    /// A constant that single precision cannot hold.
    #[error("the constant {value:e} does not fit single precision")]
    ConstantOutOfRange {
        /// Its value.
        value: f64,
    },
    /// A constant divisor of zero.
    #[error("division by zero")]
    DivisionByZero,
    /// A formula that unrolls to more operations than the engine compiles.
    #[error("the formula is too large")]
    TooManyNodes {
        /// The most allowed.
        limit: usize,
    },
    /// Something that the language has, but not here.
    #[error("{what} is not available here")]
    NotAvailable {
        /// What it is: `` `data` without a table ``.
        what: String,
    },
    /// A word or size that an argument does not take.
    #[error("unknown choice {}", quoted(.found))]
    UnknownChoice {
        /// As written.
        found: String,
        /// What there is.
        expected: String,
    },
    /// A value of each row where one number is needed.
    #[error("expected one number, found a number for each row")]
    RowsNotJoined,
    /// A dimension below the surface's least.
    #[error("dimension {dim} is too small")]
    DimensionTooSmall {
        /// The dimension asked for.
        dim: u32,
        /// The least.
        minimum: u32,
    },
    /// A dimension that the surface's blocks do not divide.
    #[error("dimension {dim} is not a multiple of {step}")]
    DimensionNotMultiple {
        /// The dimension asked for.
        dim: u32,
        /// What it must be a multiple of.
        step: u32,
    },
    /// A dimension asked for where the surface has its own.
    #[error("dimension {dim} where the surface has {fixed}")]
    DimensionFixed {
        /// The dimension asked for.
        dim: u32,
        /// The surface's own.
        fixed: u32,
    },
    /// A chain of transforms alone.
    #[error("the chain has no update rule")]
    NeedsUpdateRule,
    /// A chain with more than one update rule.
    #[error("the chain has several update rules")]
    SeveralUpdateRules,
}

impl DiagnosticKind {
    /// What stands beside the caret: what was expected, or the way out. May be empty.
    pub fn label(&self) -> String {
        match self {
            Self::TextTooLong { bytes, limit } => {
                format!("{bytes} bytes, and the limit is {limit}")
            }
            Self::TooManyTokens { limit } => {
                format!("the limit is {limit} names, numbers and signs")
            }
            Self::UnexpectedCharacter { character } => match character {
                '.' => "names have no dots: `sum`, not `np.sum`".into(),
                '"' | '\'' | '`' | '“' | '”' | '‘' | '’' => "there are no strings".into(),
                '$' | '\\' => "names are plain: `alpha`".into(),
                _ if character.is_alphabetic() => "names have the letters a to z only".into(),
                _ => "no formula has this character".into(),
            },
            Self::ForeignOperator { instead, .. } => (*instead).into(),
            Self::InvalidNumber { problem, .. } => (*problem).into(),
            Self::NumberTooLarge => "the largest is about 1.8e308".into(),
            Self::NumberTooSmall => "this would be read as zero".into(),
            Self::UnexpectedToken { expected, .. } => format!("expected {expected}"),
            Self::MissingOperator { .. } => "a product is written `a*b`".into(),
            Self::UnclosedBracket { bracket } => {
                format!("no `{}` closes this", closing(*bracket))
            }
            Self::UnopenedBracket { bracket } => format!("this `{bracket}` closes nothing"),
            Self::MismatchedBracket { open, .. } => format!("expected `{}`", closing(*open)),
            Self::TooDeep { limit } => {
                format!("the limit is {limit} levels: give an inner part a name")
            }
            Self::ChainedComparison => "write `a < b and b < c`".into(),
            Self::UnnamedArgument => "expected `name = value`".into(),
            Self::MissingValue { file: FileKind::Surface } => {
                "expected a last statement that is the surface's value".into()
            }
            Self::MissingValue { .. } => "expected a last expression that is the value".into(),
            Self::ValueNotLast => "name it with `name = …`, or end the line with an operator if it goes on".into(),
            Self::MissingAssignment => "expected at least one `name = value`".into(),
            Self::UnassignedExpression => "assign it: `x = …`".into(),
            Self::MisplacedKeyword { keyword, file } => misplaced(keyword, *file),
            Self::DuplicateName { .. } => "the second of that name".into(),
            Self::ReservedName { .. } => "choose another name".into(),
            Self::ReadOnlyName { .. } => "it is given, not computed: choose another name".into(),
            Self::MissingDomain { .. } => "expected a domain after it, `in [lo, hi]`".into(),
            Self::InvalidDimension { .. } => "expected a whole number of 1 or more, or `n`".into(),
            Self::UnknownName { nearest, .. }
            | Self::UnknownFunction { nearest, .. }
            | Self::UnknownEntry { nearest, .. }
            | Self::UnknownHyper { nearest, .. }
            | Self::UnknownOption { nearest, .. } => match nearest {
                Some(nearest) => format!("did you mean {}?", quoted(nearest)),
                None => "nothing has a name like this".into(),
            },
            Self::WrongArgumentCount { expected, .. } => format!("expected {expected}"),
            Self::IndexNotAllowed { .. } => "`sum`, `prod`, `min` and `max` take one".into(),
            Self::ShapeMismatch { left, right, .. } => {
                format!("{left} with {right}; only a scalar goes with every shape")
            }
            Self::ExpectedScalar { .. } => "reduce it: `sum`, `mean`, `norm` …".into(),
            Self::ExpectedVector { .. } => "expected a vector, as `x` or `[1, 2]`".into(),
            Self::ExpectedMatrix { .. } => "expected a matrix, as `[[1, 2], [3, 4]]`".into(),
            Self::ExpectedBoolean => "expected a comparison, as `x > 0`".into(),
            Self::UnexpectedBoolean => "use `where(condition, a, b)`".into(),
            Self::ExpectedInteger { .. } => "expected a whole number".into(),
            Self::NotConstant { .. } => "only numbers, options and `n` may stand here".into(),
            Self::IndexOutOfRange { len, .. } => format!("the length is {len}"),
            Self::EmptyRange { .. } => "a range ends before its second bound".into(),
            Self::EmptyList => "expected at least one element".into(),
            Self::EmptyDomain { .. } => "the lower end must be below the upper end".into(),
            Self::LogDomain { .. } => "a logarithm needs a lower end above 0".into(),
            Self::IntervalCount { expected, .. } => {
                format!("expected one interval for all, or {expected}")
            }
            Self::NonFiniteConstant { .. } => "a constant must be finite".into(),
            Self::ConstantOutOfRange { .. } => "the largest is about 3.4e38".into(),
            Self::DivisionByZero => "this is always zero".into(),
            Self::TooManyNodes { limit } => format!("the limit is {limit} operations"),
            Self::NotAvailable { .. } => String::new(),
            Self::UnknownChoice { expected, .. } => format!("expected {expected}"),
            Self::RowsNotJoined => "join the rows: `mean_rows(…)` or `sum_rows(…)`".into(),
            Self::DimensionTooSmall { minimum, .. } => format!("the least is {minimum}"),
            Self::DimensionNotMultiple { dim, step } => {
                let below = dim - dim.checked_rem(*step).unwrap_or(0);
                let above = u64::from(below) + u64::from(*step);
                match below {
                    0 => format!("the nearest is {above}"),
                    _ => format!("the nearest are {below} and {above}"),
                }
            }
            Self::DimensionFixed { .. } => "this surface's dimension cannot be chosen".into(),
            Self::NeedsUpdateRule => "end it with one, as in `… | sgd(lr=0.01)`".into(),
            Self::SeveralUpdateRules => "only one may assign `x`".into(),
        }
    }
}

fn misplaced(keyword: &str, file: FileKind) -> String {
    match (keyword, file) {
        ("hyper", FileKind::Surface) => "a surface's named constants are `option`s",
        ("state", FileKind::Surface) => "only an optimizer has a state",
        ("option", FileKind::Optimizer) => "an optimizer's named constants are `hyper`",
        ("in", FileKind::Optimizer) => "only a surface declares parameters",
        (_, FileKind::Optimizer) => "only a surface has it",
        (_, FileKind::Formula) => "write a file for more than bindings and a value",
        _ => "",
    }
    .into()
}

fn closing(open: char) -> char {
    if open == '[' { ']' } else { ')' }
}

/// A user's text in backquotes, cut where it is long.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTE_CHARACTERS) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}

/// The candidate most like a name that nothing has, if one is like it at all: a slip or two away, or the same
/// beginning. `-` and `_` are the same, and case does not count.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    if name.len() > SUGGESTION_BYTES {
        return None;
    }
    let fold = |text: &str| text.to_lowercase().replace('-', "_");
    let name = fold(name);
    let mut best: Option<(usize, f64, &str)> = None;
    for candidate in candidates.filter(|candidate| candidate.len() <= SUGGESTION_BYTES) {
        let folded = fold(candidate);
        let edits = strsim::damerau_levenshtein(&name, &folded);
        let alike = strsim::jaro_winkler(&name, &folded);
        let shorter = name.len().min(folded.len());
        // One slip in every three letters; a name of one letter is like no other.
        let is_slip = edits == 0 || edits <= shorter.div_ceil(3) && edits < shorter;
        let is_beginning = shorter >= 3 && (folded.starts_with(&name) || name.starts_with(&folded));
        if !is_slip && !is_beginning {
            continue;
        }
        let is_better = best
            .is_none_or(|(best_edits, best_alike, _)| edits < best_edits || edits == best_edits && alike > best_alike);
        if is_better {
            best = Some((edits, alike, candidate));
        }
    }
    best.map(|(_, _, candidate)| candidate.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suggest(name: &str) -> Option<String> {
        let known = ["cos", "sin", "cosh", "exp", "log", "log1p", "sqrt", "rosenbrock", "six_hump_camel", "x", "lr"];
        nearest(name, known.into_iter())
    }

    #[test]
    fn the_nearest_name_is_a_slip_away_or_begins_alike() {
        for (written, meant) in [
            ("coss", "cos"),
            ("con", "cos"),
            ("Cos", "cos"),
            ("sqr", "sqrt"),
            ("squrt", "sqrt"),
            ("lgo", "log"),
            ("rosen", "rosenbrock"),
            ("rosenbork", "rosenbrock"),
            ("six-hump-camel", "six_hump_camel"),
            ("six_humpcamel", "six_hump_camel"),
            ("X", "x"),
        ] {
            assert_eq!(suggest(written).as_deref(), Some(meant), "{written}");
        }
        for written in ["tanh2d", "y", "l", "", "banana", &"cos".repeat(1000)] {
            assert_eq!(suggest(written), None, "{written}");
        }
    }

    #[test]
    fn long_texts_are_quoted_in_part() {
        let name = "ü".repeat(1000);
        let kind = DiagnosticKind::UnknownName { name, nearest: None };
        assert_eq!(kind.to_string().chars().count(), "unknown name ``".len() + 61);
    }
}
