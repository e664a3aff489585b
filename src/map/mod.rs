//! Maps of a surface: its values over a plane through it, and what becomes of a descent from every pixel. Nothing is drawn here;
//! [`report::picture`](crate::report) draws.
//!
//! ```
//! use catchment::map::{Descents, Plane, Watch, basins};
//! use catchment::{Engine, Surface};
//! let surface = Surface::named("himmelblau", None)?;
//! let plane = Plane::of_two(&surface)?;
//! let engine = Engine::cpu();
//! let map = basins(&engine, &surface, &plane, 64, &Descents::suited(&surface, &plane)?, &mut Watch::none())?;
//! let minima: Vec<_> = map.basins.iter().map(|b| (b.x[0].round(), b.x[1].round())).collect();
//! assert_eq!(minima, [(-4.0, -3.0), (-3.0, 3.0), (3.0, 2.0), (4.0, -2.0)]);
//! # Ok::<(), catchment::Error>(())
//! ```

mod basins;
mod curve;
mod descents;
mod directions;
mod error;
mod field;
mod group;
mod isolines;
mod plane;
mod polish;
mod rates;
mod tone;
mod tracks;

pub use crate::analysis::Kind;
pub use basins::{Basin, BasinMap, NOT_ARRIVED, NOT_DEFINED, RAN_AWAY, basins};
pub use curve::{Curve, curve};
pub use descents::{Descents, Watch, measure};
pub use directions::{Directions, best_point, reach};
pub use error::MapError;
pub use field::{Field, field};
pub use group::{Groups, group};
pub use isolines::isolines;
pub use plane::{Plane, Span, coordinate_names};
pub use rates::{Against, Fate, RateMap, rates};
pub use tone::Tone;
pub use tracks::{Track, tracks};

/// The most pixels of a side.
pub const MOST_PIXELS: u32 = 8192;
/// The fewest.
pub const FEWEST_PIXELS: u32 = 16;

/// Checks the pixels of a side, and that descents from all of them fit into memory.
pub(crate) fn check_size(size: u32, dim: u32) -> Result<(), crate::Error> {
    if !(FEWEST_PIXELS..=MOST_PIXELS).contains(&size) {
        return Err(MapError::Size { size }.into());
    }
    // End points are kept: 512 MiB of them.
    let (numbers, most) = (u64::from(size) * u64::from(size) * u64::from(dim), 1u64 << 27);
    if numbers > most {
        let fits = ((most / u64::from(dim)) as f64).sqrt().floor() as u32;
        return Err(MapError::TooMuch { size, dim, fits }.into());
    }
    Ok(())
}
