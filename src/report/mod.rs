//! What is shown and what is written: tables for a person, JSON documents for a script, CSV and Parquet files for
//! analysis. Nothing here prints: everything gives text, or writes to what it is given.
//!
//! ```
//! use catchment::report::{Align, Table, count};
//! let mut table = Table::new(&[("optimizer", Align::Left), ("restarts", Align::Right)]);
//! table.row(["adam".to_owned(), count(1_000_000)]);
//! assert_eq!(table.text(false), "optimizer   restarts\nadam       1,000,000\n");
//! ```

mod columns;
mod csv_file;
pub mod fit;
pub mod json;
pub mod minima;
mod number;
mod output;
#[cfg(feature = "parquet")]
mod parquet_file;
#[cfg(feature = "picture")]
pub mod picture;
mod places;
#[cfg(feature = "picture")]
mod plot;
#[cfg(feature = "picture")]
mod speeds;
pub mod summary;
pub mod survey;
mod table;
mod table_file;

pub use columns::{Format, Layout, RowWriter};
pub use number::{count, many, number, percent, point, seconds};
pub use output::{OutputError, OutputFile};
pub use places::{Place, Places, Reached};
#[cfg(feature = "picture")]
pub use plot::plot;
#[cfg(feature = "picture")]
pub use speeds::Speeds;
pub use table::{Align, Table};
pub use table_file::{Cells, write_table};
