//! The syntax tree of a formula, a surface file, an optimizer file and a call; every node knows its place in the text.

/// A half-open byte range of the source text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A name as it was written, with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    /// The text of the name.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// An expression and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
}

/// Prefix operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// `-a`
    Negate,
    /// `not a`
    Not,
}

/// Infix operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Infix {
    /// `a + b`
    Add,
    /// `a - b`
    Subtract,
    /// `a * b`
    Multiply,
    /// `a / b`
    Divide,
    /// `a @ b`
    Matmul,
    /// `a ^ b`, binds tightest and to the right
    Power,
    /// `a < b`
    Less,
    /// `a <= b`
    LessEqual,
    /// `a > b`
    Greater,
    /// `a >= b`
    GreaterEqual,
    /// `a == b`
    Equal,
    /// `a != b`
    NotEqual,
    /// `a and b`
    And,
    /// `a or b`
    Or,
}

/// The kinds of expression.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A literal number.
    Number(f64),
    /// A name.
    Name(String),
    /// A prefix operator and its operand.
    Prefix(Prefix, Box<Expr>),
    /// Operators of one precedence, left to right: `first op₁ e₁ op₂ e₂ …`. One node however long the chain,
    /// so that a sum of thousands of terms is not thousands deep.
    Chain(Box<Expr>, Vec<(Infix, Expr)>),
    /// `base ^ exponent`.
    Power(Box<Expr>, Box<Expr>),
    /// `function(a, b)`, or `function(j in range(a, b): body)` where `index` is present and `arguments` is the one body.
    Call {
        /// The function.
        function: Name,
        /// Its arguments.
        arguments: Vec<Expr>,
        /// The bound index of an indexed reduction.
        index: Option<Box<IndexClause>>,
    },
    /// `base[subscript, …]`.
    Subscript(Box<Expr>, Vec<Subscript>),
    /// `[a, b, c]`; a matrix is a list of lists.
    List(Vec<Expr>),
}

/// `j in range(start, end)`.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexClause {
    /// The index.
    pub name: Name,
    /// First value.
    pub start: Expr,
    /// One past the last value.
    pub end: Expr,
}

/// One subscript of `base[…]`.
#[derive(Clone, Debug, PartialEq)]
pub enum Subscript {
    /// One element, negative from the end.
    At(Expr),
    /// `start:end:step`, each optional.
    Slice {
        /// First element.
        start: Option<Expr>,
        /// One past the last.
        end: Option<Expr>,
        /// Stride.
        step: Option<Expr>,
        /// Where the slice stands.
        span: Span,
    },
}

/// `name = value`.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// The name.
    pub name: Name,
    /// Its value.
    pub value: Expr,
}

/// A parsed `.surf` file or a bare formula.
#[derive(Clone, Debug, PartialEq)]
pub struct SurfaceSource {
    /// The comment lines at the top, without `#`, the first being the summary.
    pub comments: Vec<String>,
    /// Parameters in order of declaration.
    pub parameters: Vec<Parameter>,
    /// `option` names and defaults.
    pub options: Vec<Binding>,
    /// `data` columns.
    pub data: Vec<Shaped>,
    /// `matrix` constants given at run time.
    pub matrices: Vec<Shaped>,
    /// Known global minima.
    pub minima: Vec<Minimum>,
    /// Bindings in order.
    pub bindings: Vec<Binding>,
    /// The value.
    pub value: Expr,
}

/// A declared parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: Name,
    /// Its dimensions; empty for a scalar.
    pub dims: Vec<Dim>,
    /// Intervals: one for all coordinates, or one each.
    pub domain: Vec<Interval>,
    /// Whether starts are drawn log-uniformly.
    pub log: bool,
}

/// One dimension of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Dim {
    /// `n`, `n >= minimum`, `n >= minimum step multiple`: free, set at run time.
    Free {
        /// Smallest value, 1 where not given.
        minimum: u32,
        /// It must be a multiple of this, 1 where not given.
        step: u32,
        /// Where it stands.
        span: Span,
    },
    /// A fixed number.
    Fixed {
        /// The number.
        value: u32,
        /// Where it stands.
        span: Span,
    },
}

/// `[lo, hi]`, formulas in `n`.
#[derive(Clone, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub lo: Expr,
    /// Upper end.
    pub hi: Expr,
    /// Where it stands.
    pub span: Span,
}

/// A name with dimensions: `u[2]`, `R[n, n]`, `w[terms, n] = normal(seed)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Shaped {
    /// Its name.
    pub name: Name,
    /// Its dimensions; empty for a scalar.
    pub dims: Vec<Expr>,
    /// `normal(seed)` or `uniform(seed)`, where a matrix is drawn and not given.
    pub draw: Option<Expr>,
}

/// `minimum VALUE at NAME = POINT, …`.
#[derive(Clone, Debug, PartialEq)]
pub struct Minimum {
    /// The value there.
    pub value: Expr,
    /// The point, by parameter.
    pub point: Vec<Binding>,
}

/// A parsed `.opt` file.
#[derive(Clone, Debug, PartialEq)]
pub struct OptimizerSource {
    /// The comment lines at the top, without `#`, the first being the summary.
    pub comments: Vec<String>,
    /// Hyperparameters and their defaults.
    pub hyper: Vec<Binding>,
    /// State slots and their initial values.
    pub state: Vec<Binding>,
    /// Assignments in order.
    pub assignments: Vec<Binding>,
}

/// `name(key = value, …)`, a catalog entry with arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct CallSource {
    /// The entry's name, as written.
    pub name: Name,
    /// Its named arguments.
    pub arguments: Vec<Binding>,
    /// The whole call.
    pub span: Span,
}
