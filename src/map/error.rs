//! What can be wrong with a request for a map.

/// Why a map cannot be drawn; each message says what to do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MapError {
    /// A surface of more coordinates than a plane has.
    #[error(
        "`{surface}` has {dim} coordinates, and a map has two: choose two and hold the others (on the command line \
         `--view \"{first}=LO:HI,{second}=LO:HI\" --at \"…=VALUE\"`), or cut it along two directions (`--what slice`)"
    )]
    NotTwo {
        /// The surface.
        surface: String,
        /// How many it has.
        dim: u32,
        /// The names of two of them.
        first: String,
        /// The other.
        second: String,
    },
    /// A surface of one coordinate.
    #[error(
        "`{surface}` has one coordinate and makes no plane: draw it as a curve (on the command line `--what line`)"
    )]
    OneCoordinate {
        /// The surface.
        surface: String,
    },
    /// Coordinates that nothing holds.
    #[error(
        "nothing says where {} held: give {} (on the command line `--at \"{}\"`)",
        names(.missing, true), if .missing.len() == 1 { "its value" } else { "their values" }, .missing.iter().take(4).map(|n| format!("{n}=0")).collect::<Vec<_>>().join(",")
    )]
    NotHeld {
        /// Their names.
        missing: Vec<String>,
    },
    /// A coordinate that the surface does not have.
    #[error("`{surface}` has no coordinate `{name}`: it has {}", names(.known, false))]
    UnknownCoordinate {
        /// The surface.
        surface: String,
        /// As asked for.
        name: String,
        /// What it has.
        known: Vec<String>,
    },
    /// A range that holds nothing.
    #[error("the range of {name}, {lo} to {hi}, {problem}")]
    Range {
        /// Of what.
        name: String,
        /// Its lower end.
        lo: f64,
        /// Its upper end.
        hi: f64,
        /// What is wrong.
        problem: &'static str,
    },
    /// Too few pixels, or too many.
    #[error("{size} pixels a side: a map has between {} and {}", super::FEWEST_PIXELS, super::MOST_PIXELS)]
    Size {
        /// As asked for.
        size: u32,
    },
    /// More end points than memory is given to.
    #[error("{size} × {size} descents in {dim} dimensions are too many to keep: at most {fits} pixels a side")]
    TooMuch {
        /// Pixels of a side.
        size: u32,
        /// Of the surface.
        dim: u32,
        /// What fits.
        fits: u32,
    },
    /// A point of another length than the surface's dimension.
    #[error("the point has {got} coordinates, the surface {expected}")]
    PointLength {
        /// The surface's.
        expected: usize,
        /// The point's.
        got: usize,
    },
    /// A known minimum asked of a surface that has none.
    #[error(
        "no minimum of `{surface}` is known: give a point (on the command line `--point \"0.1,0.2,…\"`, or `--point best` to search)"
    )]
    NoMinimum {
        /// The surface.
        surface: String,
    },
    /// Directions that are none.
    #[error("directions `{text}`: {problem}")]
    Directions {
        /// As asked for.
        text: String,
        /// What is wrong.
        problem: String,
    },
    /// More dimensions than the matrix of second derivatives is decomposed in.
    #[error(
        "`{surface}` has {dim} dimensions: directions by the Hessian are found in at most {most}; take `random` or coordinates"
    )]
    HessianTooLarge {
        /// The surface.
        surface: String,
        /// Its dimension.
        dim: u32,
        /// The most.
        most: u32,
    },
    /// More configurations than a map shows.
    #[error("a map shows one optimizer, and {problem}")]
    Several {
        /// Why there are several.
        problem: String,
    },
    /// A field without a finite number.
    #[error("`{surface}` has no finite value in the view ({view}): look elsewhere")]
    NothingFinite {
        /// The surface.
        surface: String,
        /// Where it was looked at.
        view: String,
    },
}

/// A few names: `x2, x3 and 4 more are`.
fn names(all: &[String], verb: bool) -> String {
    let shown = all.iter().take(4).cloned().collect::<Vec<_>>().join(", ");
    let more = if all.len() > 4 { format!(" and {} more", all.len() - 4) } else { String::new() };
    let verb = match (verb, all.len()) {
        (false, _) => "",
        (true, 1) => " is",
        (true, _) => " are",
    };
    format!("{shown}{more}{verb}")
}
