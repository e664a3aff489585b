//! Random numbers that are addressed by (seed, restart, step, purpose) and by nothing else, and the
//! starts drawn from them.
//!
//! No thread, batch, chunk or device takes part in an address, so any restart can be replayed
//! alone, with the same bits.
//!
//! ```
//! use catchment::random::{Domain, Sampler, Starts};
//! let sampler = Sampler::new(&Starts::Uniform, &Domain::cube(2, -5.12, 5.12), 42, 1_000_000)?;
//! let (mut batch, mut alone) = (vec![0.0; 2 * 1000], [0.0; 2]);
//! sampler.fill(5000, 1000, &mut batch);
//! sampler.fill(5777, 1, &mut alone);
//! assert_eq!(alone, [batch[777], batch[1777]]);
//! # Ok::<(), catchment::random::StartsError>(())
//! ```

mod axis;
mod grid;
mod hyper;
mod latin;
mod normal;
mod philox;
mod points;
mod rows;
mod sampler;
mod sobol;
mod starts;

pub(crate) use hyper::hyper_column;
pub use hyper::{hyper_log_uniform, hyper_uniform};
pub use normal::{normal_pair, normal_pair_f64, uniform};
pub use philox::{Purpose, Stream, key_of, philox4x32};
pub use points::Points;
pub use rows::RowDraws;
pub(crate) use rows::words as row_words;
pub use sampler::Sampler;
pub use starts::{Domain, Starts, StartsError};
