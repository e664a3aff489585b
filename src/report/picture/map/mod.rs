//! Pictures of maps: what [`crate::map`] computes, with axes, a scale of colours and names at what is found.
//!
//! ```
//! use catchment::map::{Plane, Tone, Watch, field};
//! use catchment::report::picture::map::{Place, Words, contour};
//! use catchment::{Engine, Precision, Surface};
//! let surface = Surface::named("himmelblau", None)?;
//! let plane = Plane::of_two(&surface)?;
//! let values = field(&Engine::cpu(), &surface, &plane, [64, 64], Precision::F32, &mut Watch::none())?;
//! let tone = Tone::of(values.values.iter().copied());
//! let minima: Vec<Place> = surface.minima().iter().map(|m| Place::new([m.x[0], m.x[1]], "0")).collect();
//! let picture = contour(&Words::new("himmelblau", "filled contours"), &plane, &values, &tone, &minima);
//! assert!(picture.svg().contains("data:image/png;base64,"));
//! # Ok::<(), catchment::Error>(())
//! ```

mod basins;
mod contour;
mod curve;
mod rates;
mod relief;
mod sheet;

pub use basins::basins;
pub use contour::{contour, trajectories};
pub use curve::curve;
pub use rates::rates;
pub use relief::relief;

/// What stands above a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// The first line.
    pub title: String,
    /// The second.
    pub subtitle: String,
}

impl Words {
    /// Of two lines.
    pub fn new(title: &str, subtitle: &str) -> Words {
        Words { title: title.to_owned(), subtitle: subtitle.to_owned() }
    }
}

/// A place on a map with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Along the axes, in their units.
    pub at: [f64; 2],
    /// What is written beside it.
    pub name: String,
}

impl Place {
    /// Of its coordinates along the axes.
    pub fn new(at: [f64; 2], name: &str) -> Place {
        Place { at, name: name.to_owned() }
    }
}

/// A number as axes have it, with a long minus.
fn short(value: f64) -> String {
    crate::report::number(value, 4).replace('-', "−")
}
