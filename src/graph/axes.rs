//! Axes: what a node of the graph ranges over.
//!
//! A scalar has none, a vector one, a matrix two. An index bound by `sum(j in range(…): …)` is an axis like any other, so
//! a formula in `j` is one node over the axis `j` and not one node a value of `j`.

use std::fmt;

/// What an axis stands for; the order is from the outermost to the innermost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AxisKind {
    /// A row of the surface's table.
    Row,
    /// An index bound by an indexed reduction, by nesting depth.
    Index(u8),
    /// A position of a vector (0), a row (0) and a column (1) of a matrix.
    Value(u8),
}

/// One axis and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Axis {
    /// What it stands for.
    pub kind: AxisKind,
    /// How many positions it has.
    pub len: u32,
}

impl Axis {
    /// The axis of a vector of `len` elements.
    pub fn vector(len: u32) -> Axis {
        Axis { kind: AxisKind::Value(0), len }
    }

    /// The axis of a matrix's columns.
    pub fn column(len: u32) -> Axis {
        Axis { kind: AxisKind::Value(1), len }
    }

    /// The axis of a table's rows.
    pub fn rows(len: u32) -> Axis {
        Axis { kind: AxisKind::Row, len }
    }
}

/// The largest rank of a node, bound indices included.
pub const MAX_RANK: usize = 4;

/// A node's axes, outermost first; row-major where it is laid out.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Axes {
    items: [Option<Axis>; MAX_RANK],
}

impl Axes {
    /// A scalar's.
    pub const SCALAR: Axes = Axes { items: [None; MAX_RANK] };

    /// These axes, put in order; `None` beyond [`MAX_RANK`] or where one kind stands twice.
    pub fn new(axes: impl IntoIterator<Item = Axis>) -> Option<Axes> {
        let mut out = Axes::SCALAR;
        for axis in axes {
            out = out.with(axis)?;
        }
        Some(out)
    }

    /// One axis.
    pub fn one(axis: Axis) -> Axes {
        let mut out = Axes::SCALAR;
        out.items[0] = Some(axis);
        out
    }

    /// The axes in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Axis> + '_ {
        self.items.iter().flatten().copied()
    }

    /// How many there are.
    pub fn rank(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    pub fn is_scalar(&self) -> bool {
        self.items[0].is_none()
    }

    /// Whether `axis` is among them.
    pub fn contains(&self, axis: Axis) -> bool {
        self.iter().any(|a| a == axis)
    }

    /// The axis of this kind.
    pub fn of_kind(&self, kind: AxisKind) -> Option<Axis> {
        self.iter().find(|a| a.kind == kind)
    }

    /// With one more; unchanged if it is there already.
    pub fn with(&self, axis: Axis) -> Option<Axes> {
        if self.contains(axis) {
            return Some(*self);
        }
        if self.of_kind(axis.kind).is_some() || self.rank() == MAX_RANK {
            return None;
        }
        let mut out = *self;
        out.items[self.rank()] = Some(axis);
        let rank = out.rank();
        out.items[..rank].sort();
        Some(out)
    }

    /// Without one.
    pub fn without(&self, axis: Axis) -> Axes {
        let mut out = Axes::SCALAR;
        for (slot, a) in self.iter().filter(|&a| a != axis).enumerate() {
            out.items[slot] = Some(a);
        }
        out
    }

    /// The axes of either.
    pub fn union(&self, other: &Axes) -> Option<Axes> {
        other.iter().try_fold(*self, |all, a| all.with(a))
    }

    /// The axis of the table's rows, if it is among them.
    pub fn row(&self) -> Option<Axis> {
        self.of_kind(AxisKind::Row)
    }

    /// Without the axis of the table's rows.
    pub fn within_row(&self) -> Axes {
        self.row().map_or(*self, |row| self.without(row))
    }

    /// How many elements.
    pub fn size(&self) -> usize {
        self.iter().map(|a| a.len as usize).product()
    }
}

impl fmt::Debug for Axes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|a| (a.kind, a.len))).finish()
    }
}

/// As a person would say it: `a scalar`, `a vector of 3`, `a 2 × 3 matrix`.
impl fmt::Display for Axes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<u32> = self.iter().filter(|a| matches!(a.kind, AxisKind::Value(_))).map(|a| a.len).collect();
        match values[..] {
            [] => write!(f, "a scalar"),
            [n] => write!(f, "a vector of {n}"),
            [r, c] => write!(f, "a {r} × {c} matrix"),
            _ => write!(f, "an array of rank {}", values.len()),
        }?;
        if self.row().is_some() { write!(f, " for each row") } else { Ok(()) }
    }
}
