//! Arguments that several commands share, and how they become a surface and an engine.

use super::{Failure, Terminal};
use catchment::random::Domain;
use catchment::table::read_matrix;
use catchment::{
    Bind, DeviceChoice, DimensionRule, Engine, Error, Given, MAX_DIM, Plan, Precision, Surface, SurfaceText,
};
use clap::{Args, ColorChoice, ValueEnum};
use std::path::PathBuf;

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Print one JSON document instead of text
    #[arg(long, global = true, help_heading = "Output")]
    pub json: bool,
    /// Print results only: no progress, no notes
    #[arg(short, long, global = true, help_heading = "Output", conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print more
    #[arg(short, long, global = true, help_heading = "Output")]
    pub verbose: bool,
    /// Colours: auto, always or never; NO_COLOR is heeded [default: auto]
    #[arg(long, global = true, help_heading = "Output", value_name = "WHEN")]
    #[arg(default_value = "auto", hide_default_value = true, hide_possible_values = true)]
    pub color: ColorChoice,
}

/// A whole number that may be written `1e6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count(pub u64);

impl std::str::FromStr for Count {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Count, &'static str> {
        if let Ok(exact) = text.replace('_', "").parse() {
            return Ok(Count(exact));
        }
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match text.replace('_', "").parse::<f64>() {
            Ok(v) if v.fract() == 0.0 && (0.0..=EXACT).contains(&v) => Ok(Count(v as u64)),
            Ok(v) if v < 0.0 => Err("it must not be negative"),
            Ok(v) if v > EXACT => Err("it is too large"),
            Ok(_) => Err("it must be a whole number, as in 1000 or 1e6"),
            Err(_) => Err("it is not a number; whole numbers are written 1000 or 1e6"),
        }
    }
}

/// Which surface, over which box, in how many dimensions.
#[derive(Clone, Debug, Args)]
pub struct SurfaceArgs {
    /// A name from 'catchment list surfaces', a call like 'ackley(a=10)' or 'mlp(layers=[2,16,1])', or a path to a .surf file
    #[arg(required_unless_present = "expr", conflicts_with = "expr")]
    pub surface: Option<String>,
    /// A formula in the vector x instead, such as 'sum(x^4 - x^2)'; it needs --box
    #[arg(long, value_name = "FORMULA", requires = "box", allow_hyphen_values = true, help_heading = "Surface")]
    pub expr: Option<String>,
    /// The domain: LO:HI for all coordinates, or one for each with commas between; LO:HI:log draws log-uniformly
    #[arg(long = "box", id = "box", value_name = "LO:HI,…", allow_hyphen_values = true, help_heading = "Surface")]
    pub domain: Option<String>,
    /// A CSV or Parquet table for a surface with 'data': each name takes the column of that name
    #[arg(long, value_name = "FILE", conflicts_with = "expr", help_heading = "Surface")]
    pub data: Option<PathBuf>,
    /// Columns of another name: y=conc, or u=width,height for a vector of two; repeatable
    #[arg(long, value_name = "NAME=COLUMN", requires = "data", help_heading = "Surface")]
    pub bind: Vec<Bind>,
    /// A constant 'matrix' of the surface from a CSV file without a heading; repeatable
    #[arg(long, value_name = "NAME=FILE", conflicts_with = "expr", help_heading = "Surface")]
    pub matrix: Vec<MatrixFile>,
    /// How many dimensions, where the surface leaves that open [default: 2, or its smallest]
    #[arg(short, long, value_name = "DIM", help_heading = "Surface")]
    pub dim: Option<Count>,
}

/// One interval of `--box`: its ends, and whether it is logarithmic.
pub type Interval = (f64, f64, bool);

impl SurfaceArgs {
    /// The surface's text with its table and matrices.
    fn given(&self, mut text: SurfaceText) -> Result<SurfaceText, Failure> {
        let mut given = Given::default();
        for matrix in &self.matrix {
            if !text.matrices().any(|m| m == matrix.name) {
                let nearest = catchment::language::nearest(&matrix.name, text.matrices());
                let (surface, name) = (text.name().to_owned(), matrix.name.clone());
                return Err(Error::MatrixUnknown { surface, name, nearest }.into());
            }
            given.matrices.insert(matrix.name.clone(), read_matrix(&matrix.path)?);
        }
        text = text.with(given);
        match &self.data {
            Some(_) if text.data()?.is_empty() => Err(Error::DataUnused { surface: text.name().to_owned() }.into()),
            Some(path) => Ok(text.with_table_file(path, &self.bind)?),
            None => Ok(text),
        }
    }

    /// The surface; `columns` is the dimension where neither it nor `-d` says.
    pub fn resolve(&self, columns: Option<u32>, terminal: &Terminal) -> Result<Surface, Failure> {
        let intervals = self.domain.as_deref().map(intervals).transpose()?;
        let dim = self.dim.map(|d| u32::try_from(d.0).unwrap_or(u32::MAX));
        match (&self.expr, &self.surface) {
            (Some(formula), _) => {
                let intervals = intervals.unwrap_or_default();
                let domain = spread(&intervals, dim.or(columns.filter(|_| intervals.len() == 1)), None)?;
                Ok(Surface::formula(formula, domain)?)
            }
            (None, name) => {
                let text = self.given(SurfaceText::named(name.as_deref().unwrap_or_default())?)?;
                let several = intervals.as_ref().map(|i| i.len() as u32).filter(|&n| n > 1);
                let columns = columns.filter(|_| text.dim().is_none());
                let surface = named(&text, dim.or(several).or(columns), terminal)?;
                match intervals {
                    Some(intervals) => {
                        let domain = spread(&intervals, Some(surface.dim()), Some(&text))?;
                        Ok(surface.with_domain(domain)?)
                    }
                    None => Ok(surface),
                }
            }
        }
    }
}

/// `NAME=FILE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatrixFile {
    name: String,
    path: PathBuf,
}

impl std::str::FromStr for MatrixFile {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<MatrixFile, &'static str> {
        let (name, path) = text.split_once('=').ok_or("it is written NAME=FILE")?;
        Ok(MatrixFile { name: name.trim().to_owned(), path: PathBuf::from(path) })
    }
}

/// A surface in the dimension that was asked for, else in its own, else in a small one, and then a note says so.
pub fn named(text: &SurfaceText, dim: Option<u32>, terminal: &Terminal) -> Result<Surface, Failure> {
    if dim.is_some() || text.dim().is_some() {
        return Ok(text.at(dim)?);
    }
    let least = text.smallest_dim();
    let surface = text.at(Some(least.max(2))).or_else(|_| text.at(Some(least)))?;
    terminal.note(format_args!("`{}` in {} dimensions; -d DIM sets another number", text.name(), surface.dim()));
    Ok(surface)
}

/// Reads `lo:hi,lo:hi:log`.
fn intervals(text: &str) -> Result<Vec<Interval>, Failure> {
    text.split(',').map(interval).collect()
}

/// Reads `lo:hi` or `lo:hi:log`.
pub fn interval(text: &str) -> Result<Interval, Failure> {
    let fail = |problem| Failure::Box { text: text.to_owned(), problem };
    let ends: Vec<&str> = text.split(':').map(str::trim).collect();
    let log = match ends[..] {
        [_, _] => false,
        [_, _, "log"] => true,
        _ => return Err(fail("an interval is LO:HI or LO:HI:log")),
    };
    let number = |end: &str| end.parse::<f64>().ok().filter(|v| v.is_finite());
    let (Some(lo), Some(hi)) = (number(ends[0]), number(ends[1])) else {
        return Err(fail("its ends must be finite numbers"));
    };
    match lo < hi {
        true if log && lo <= 0.0 => Err(fail("a logarithmic interval begins above 0")),
        true => Ok((lo, hi, log)),
        false => Err(fail("the lower end must be below the upper one")),
    }
}

/// The intervals as a domain: one stands for all coordinates.
fn spread(intervals: &[Interval], dim: Option<u32>, surface: Option<&SurfaceText>) -> Result<Domain, Failure> {
    let dim = dim.unwrap_or(intervals.len() as u32);
    let rule = |rule| {
        let surface = surface.map_or("--expr", |s| s.name()).to_owned();
        Err(Error::Dimension { surface, dim, rule }.into())
    };
    match intervals {
        _ if dim == 0 => rule(DimensionRule::AtLeast(1)),
        _ if dim > MAX_DIM => rule(DimensionRule::AtMost(MAX_DIM)),
        &[(lo, hi, log)] => {
            let mut domain = Domain::cube(dim as usize, lo, hi);
            domain.log.fill(log);
            Ok(domain)
        }
        several if several.len() == dim as usize => Ok(Domain {
            lo: several.iter().map(|i| i.0).collect(),
            hi: several.iter().map(|i| i.1).collect(),
            log: several.iter().map(|i| i.2).collect(),
        }),
        several => Err(Failure::BoxCount { intervals: several.len(), dim }),
    }
}

/// The number type.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum PrecisionArg {
    /// Single
    #[default]
    F32,
    /// Double, on the CPU
    F64,
}

/// Where to run.
#[derive(Clone, Debug, Args)]
pub struct DeviceArgs {
    /// auto, cpu, gpu, or an index, part of a name or pci:BUS from 'catchment list devices'
    #[arg(long, value_name = "DEVICE", default_value = "auto", help_heading = "Device")]
    pub device: String,
    /// Number type: f32, or f64 on the CPU
    #[arg(long, value_name = "TYPE", default_value = "f32", hide_possible_values = true, help_heading = "Device")]
    pub precision: PrecisionArg,
    /// Threads of the CPU engine; changes no result [default: all cores]
    #[arg(long, value_name = "N", help_heading = "Device")]
    pub threads: Option<Count>,
}

impl DeviceArgs {
    /// The number type.
    pub fn precision(&self) -> Precision {
        match self.precision {
            PrecisionArg::F32 => Precision::F32,
            PrecisionArg::F64 => Precision::F64,
        }
    }

    /// Opens the device for a plan, and tells with `-v` why `auto` took it.
    pub fn open_for(&self, plan: &Plan, terminal: &Terminal) -> Result<Engine, Failure> {
        let (engine, why) = Engine::open_for(&self.choice()?, self.thread_count()?, plan)?;
        if let Some(why) = why.filter(|_| terminal.verbose) {
            terminal.note(why);
        }
        self.fitting(engine)
    }

    /// Opens the device; for little work `auto` looks for no GPU, unless `CATCHMENT_GPU=require` asks for one.
    pub fn open(&self, little: bool) -> Result<Engine, Failure> {
        let required = std::env::var("CATCHMENT_GPU").is_ok_and(|asked| asked == "require");
        let choice = match self.choice()? {
            DeviceChoice::Auto if little && !required => DeviceChoice::Cpu,
            other => other,
        };
        self.fitting(Engine::open(&choice, self.thread_count()?)?)
    }

    /// Double precision goes to the CPU, unless a GPU was asked for by name.
    fn choice(&self) -> Result<DeviceChoice, Failure> {
        let double = self.precision() == Precision::F64;
        match DeviceChoice::parse(&self.device) {
            DeviceChoice::Auto if double => Ok(DeviceChoice::Cpu),
            DeviceChoice::Gpu if double => Err(Error::PrecisionOnGpu.into()),
            other => Ok(other),
        }
    }

    fn thread_count(&self) -> Result<usize, Failure> {
        match self.threads {
            Some(Count(n)) if !(1..=1024).contains(&n) => {
                let setting = ("the number of threads", n as f64, "between 1 and 1024");
                Err(Error::Setting { name: setting.0, value: setting.1, expected: setting.2 }.into())
            }
            given => Ok(given.map_or(0, |n| n.0 as usize)),
        }
    }

    fn fitting(&self, engine: Engine) -> Result<Engine, Failure> {
        if self.precision() == Precision::F64 && engine.device().kind == "gpu" {
            return Err(Error::PrecisionOnGpu.into());
        }
        Ok(engine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_may_have_exponents() {
        for (text, value) in
            [("7", 7), ("1e6", 1_000_000), ("1.5e3", 1500), ("1_000", 1000), ("18446744073709551615", u64::MAX)]
        {
            assert_eq!(text.parse(), Ok(Count(value)), "{text}");
        }
        for text in ["1.5", "-1", "1e30", "nan", "", "many", "inf"] {
            assert!(text.parse::<Count>().is_err(), "{text}");
        }
    }

    #[test]
    fn boxes_are_read() {
        assert_eq!(intervals("-5:5, 1e-3:10:log").unwrap(), [(-5.0, 5.0, false), (1e-3, 10.0, true)]);
        for text in ["", "5", "5:5", "2:1", "a:b", "0:inf", "0:1:log", "1:2:lin", "1:2,", "1:2:log:4"] {
            assert!(intervals(text).is_err(), "{text}");
        }
        assert_eq!(spread(&[(0.0, 1.0, false)], Some(3), None).unwrap(), Domain::cube(3, 0.0, 1.0));
        assert_eq!(spread(&[(0.0, 1.0, false)], None, None).unwrap().dim(), 1);
        assert!(spread(&[(0.0, 1.0, false); 2], Some(3), None).is_err());
        assert!(spread(&[(0.0, 1.0, false)], Some(0), None).is_err());
        assert!(spread(&[(0.0, 1.0, false)], Some(u32::MAX), None).is_err());
    }
}
