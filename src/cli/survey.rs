//! `catchment survey`: what a surface is like, or a sample, or random matrices.

use super::args::{Count, DeviceArgs, SurfaceArgs};
use super::files::{self, Opened, Plot, Sink};
use super::stationary::StationaryArgs;
use super::{Failure, Terminal, interrupt};
use catchment::features::{self, Features, Sample};
use catchment::random::Starts;
use catchment::report::picture;
use catchment::report::{Cells, Layout, count, json, minima as critical, summary, survey as words};
use catchment::survey::{Event, Settings, Surveyed, WalkSettings, goe, survey};
use catchment::{DeviceInfo, Error, Flow, Surface, Table};
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  Values, slopes, ruggedness and curvature of Rastrigin's function in five dimensions:
    catchment survey rastrigin -d 5 -n 1e6 --plot rastrigin.png

  The same with the exploratory landscape features of flacco, and every point in a file:
    catchment survey ackley -d 3 --features --out points.parquet

  Features of a sample from elsewhere: columns x0, x1, … and y (or value):
    catchment survey --points points.csv --features --json

  The nine critical points of Himmelblau's function, and how long optimizers take to leave its saddles:
    catchment survey himmelblau --stationary --escape

  How often are all eigenvalues of a random symmetric 4 × 4 matrix positive?
    catchment survey goe -d 4 -n 1e6

Definitions:
  flat        the gradient across the box, that is with respect to u where u runs from 0 to 1 along each side, has a
              norm below 1e-3 × (largest − smallest value of the sample)
  walk        begins anywhere in the box and adds a normal step, of --walk-step of each side, to every coordinate,
              reflected at the sides; its correlation length is −1/ln r(1) steps (Weinberger 1990)
  index       the number of negative eigenvalues of the exact Hessian, computed in f64
  goe         (G + Gᵀ)/2 with independent standard normal entries of G";

/// `survey`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("surface", |arg| arg.required_unless_present("points").help("A surface as for 'run', or 'goe' for random matrices")))]
pub struct SurveyArgs {
    #[command(flatten)]
    surface: SurfaceArgs,
    /// Points of the surface [default: 100000], or random matrices [default: 1000000]
    #[arg(short = 'n', long, value_name = "SAMPLES", help_heading = "Survey")]
    samples: Option<Count>,
    /// Seed of all random numbers
    #[arg(long, default_value = "0", help_heading = "Survey")]
    seed: Count,
    /// How points fill the box: uniform, sobol, lhs, grid, normal:SD or a CSV file with a point a line
    #[arg(long, default_value = "uniform", help_heading = "Survey")]
    starts: String,
    /// Points at which Hessians are computed, beyond 32 dimensions the ends of their spectra; 0 for none
    #[arg(long, value_name = "N", default_value = "1000", help_heading = "Survey")]
    hessians: Count,
    /// Random walks of 255 steps; 0 for none
    #[arg(long, value_name = "N", default_value = "256", help_heading = "Survey")]
    walks: Count,
    /// Standard deviation of a walk's step, as a share of each side of the box
    #[arg(long, value_name = "SHARE", default_value = "0.02", help_heading = "Survey")]
    walk_step: f64,
    /// Exploratory landscape features too, of at most 5000 points of the sample
    #[arg(long, help_heading = "Survey")]
    features: bool,
    /// A CSV or Parquet table with a column y (or value) and the coordinates x0, x1, … in the place of a surface
    #[arg(long, value_name = "FILE", conflicts_with_all = ["surface", "expr"], help_heading = "Survey")]
    points: Option<PathBuf>,
    #[command(flatten)]
    critical: StationaryArgs,
    #[command(flatten)]
    device: DeviceArgs,
    /// Write the sample, the features of --points or the law of goe to a .csv or .parquet file
    #[arg(long, value_name = "FILE", help_heading = "Files")]
    out: Option<PathBuf>,
    /// Draw it as .png or .svg
    #[arg(long, value_name = "FILE", help_heading = "Files")]
    plot: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long, help_heading = "Files")]
    force: bool,
}

/// Points that features are computed of.
const FEATURE_POINTS: usize = 5000;
/// Coordinates, times rows of the table, that the CPU has evaluated before a GPU is open.
const LITTLE: u64 = 2_000_000;

/// Parse → survey → report.
pub fn act(args: &SurveyArgs, terminal: &Terminal) -> Result<(), Failure> {
    let began = Instant::now();
    match (&args.points, args.surface.surface.as_deref()) {
        (Some(path), _) => args.act_on_points(path, terminal, began),
        (None, Some("goe")) => args.act_on_matrices(terminal, began),
        _ => args.act_on_surface(terminal, began),
    }
}

impl SurveyArgs {
    fn act_on_surface(&self, terminal: &Terminal, began: Instant) -> Result<(), Failure> {
        let surface = self.surface.resolve(None, terminal)?;
        let settings = self.settings()?;
        settings.check(&surface)?;
        let (out, plot) = self.open_files()?;
        let rows = surface.table().map_or(1, |table| u64::from(table.rows));
        let size = settings.samples.saturating_mul(u64::from(surface.dim())).saturating_mul(rows);
        let engine = self.device.open(size < LITTLE)?;
        let device = engine.device();
        let layout = Layout::samples(&surface, settings.precision);
        let mut sink = out.map(|file| file.begin(layout, &self.record(&surface, &settings, &device))).transpose()?;
        if !terminal.json {
            terminal.print(&self.heading(&surface, &settings, &device))?;
        }
        let found = follow(&mut sink, terminal, |tell| survey(&engine, &surface, &settings, tell))?;
        sink.map(Sink::finish).transpose()?;
        if let Some(plot) = plot {
            let how = self.how(&settings);
            plot.write(&picture::survey(&summary::surface(&surface), &how, &found))?;
        }
        self.warn(&found, terminal);
        let features = self.features.then(|| features_of(&found)).transpose()?;
        let seed = settings.seed;
        let stationary = match self.critical.asked() {
            true => Some(self.critical.find(&engine, &surface, seed, terminal)?),
            false => None,
        };
        let escapes = match (&stationary, self.critical.escape) {
            (Some(found), true) => Some(self.critical.escapes(&engine, &surface, found, seed, terminal)?),
            _ => None,
        };
        let total = began.elapsed().as_secs_f64();
        if terminal.json {
            let mut document = json::Survey::new(&surface, &settings, &found, &device, &self.starts, total);
            if let Some((points, features)) = &features {
                document = document.with_features(*points, features);
            }
            if let Some(found) = &stationary {
                document = document.with_stationary(found);
            }
            if let Some(escapes) = &escapes {
                document = document.with_escapes(escapes);
            }
            return terminal.document(&document);
        }
        if let Some(found) = &stationary {
            terminal.print(&(critical::stationary(found, terminal.color()) + "\n"))?;
        }
        if let Some(escapes) = escapes.as_ref().filter(|e| !e.is_empty()) {
            let steps = self.critical.escape_steps();
            terminal.print(&(critical::escapes(escapes, steps, terminal.color()) + "\n"))?;
        }
        if let Some((points, features)) = &features {
            terminal.print(&(words::features(*points, features, terminal.color()) + "\n"))?;
        }
        terminal.print(&words::survey(&surface, &found, total, terminal.color()))
    }

    fn act_on_points(&self, path: &Path, terminal: &Terminal, began: Instant) -> Result<(), Failure> {
        if self.critical.asked() {
            let (to, instead) = ("a file of points", "it needs a surface's derivatives");
            return Err(Failure::SurveyOption { option: "--stationary", to, instead });
        }
        if self.plot.is_some() {
            let (to, instead) = ("a file of points", "it draws a surface's survey, or goe's");
            return Err(Failure::SurveyOption { option: "--plot", to, instead });
        }
        let sample = read_sample(path)?;
        let (out, _) = self.open_files()?;
        let features = features::all(&sample);
        if let Some(file) = out {
            let (names, values) = features.iter().cloned().unzip();
            let columns = [("feature".to_owned(), Cells::Text(names)), ("value".to_owned(), Cells::Numbers(values))];
            file.write(&columns, &serde_json::json!({ "points": path }).to_string())?;
        }
        let total = began.elapsed().as_secs_f64();
        if terminal.json {
            let name = path.to_string_lossy();
            let document = json::PointFeatures::new(&name, sample.dim(), sample.points(), &features, total);
            return terminal.document(&document);
        }
        terminal.print(&format!("{} points of {} coordinates\n\n", count(sample.points() as u64), sample.dim()))?;
        terminal.print(&words::features(sample.points(), &features, terminal.color()))
    }

    fn act_on_matrices(&self, terminal: &Terminal, began: Instant) -> Result<(), Failure> {
        let other = [
            (self.features, "--features"),
            (self.critical.stationary, "--stationary"),
            (self.critical.escape, "--escape"),
            (self.surface.domain.is_some(), "--box"),
            (self.surface.data.is_some(), "--data"),
            (!self.surface.matrix.is_empty(), "--matrix"),
            (self.starts != "uniform", "--starts"),
        ];
        if let Some((_, option)) = other.into_iter().find(|(given, _)| *given) {
            let (to, instead) = ("random matrices", "they have a dimension (-d), a number (-n) and a seed");
            return Err(Failure::SurveyOption { option, to, instead });
        }
        let Some(dim) = self.surface.dim else {
            return Err(Error::DimensionMissing { surface: "goe".to_owned(), minimum: 2 }.into());
        };
        let dim = usize::try_from(dim.0).unwrap_or(usize::MAX);
        let (samples, seed) = (self.samples.map_or(1_000_000, |n| n.0), self.seed.0);
        let (out, plot) = self.open_files()?;
        let bar = terminal.progress(samples as f64);
        let found = goe::spectra(&goe::Ensemble::orthogonal(dim), samples, seed, &mut |done, _| {
            bar.set_position(done);
            if interrupt::asked() { Flow::Stop } else { Flow::Continue }
        });
        bar.finish_and_clear();
        let found = found?;
        let how = format!("{} matrices, seed {seed}", count(samples));
        if let Some(plot) = plot {
            plot.write(&picture::spectra(&how, &found))?;
        }
        if let Some(file) = out {
            let law = goe::exact_law(dim).unwrap_or_else(|| vec![f64::NAN; dim + 1]);
            let share = found.index.iter().map(|&c| c as f64 / samples as f64).collect();
            let columns = [
                ("index".to_owned(), Cells::Whole((0..=dim as u64).collect())),
                ("count".to_owned(), Cells::Whole(found.index.clone())),
                ("fraction".to_owned(), Cells::Numbers(share)),
                ("exact".to_owned(), Cells::Numbers(law)),
                ("naive".to_owned(), Cells::Numbers(goe::naive_law(dim))),
            ];
            let record = serde_json::json!({ "ensemble": "goe", "dim": dim, "samples": samples, "seed": seed });
            file.write(&columns, &record.to_string())?;
        }
        let total = began.elapsed().as_secs_f64();
        if terminal.json {
            return terminal.document(&json::RandomMatrices::new(&found, seed, total));
        }
        terminal.print(&format!("random {dim} × {dim} matrices of the Gaussian orthogonal ensemble\n{how}\n\n"))?;
        terminal.print(&words::spectra(&found, total, terminal.verbose, terminal.color()))
    }

    fn settings(&self) -> Result<Settings, Failure> {
        let most = |n: Count| usize::try_from(n.0).unwrap_or(usize::MAX);
        let starts = Starts::parse(&self.starts).map_err(|e| super::points::locate(self.starts.as_ref(), e))?;
        let settings = Settings {
            samples: self.samples.map_or(100_000, |n| n.0),
            seed: self.seed.0,
            starts,
            precision: self.device.precision(),
            hessians: most(self.hessians),
            walks: WalkSettings { count: most(self.walks), step: self.walk_step, ..WalkSettings::default() },
            kept: if self.features { FEATURE_POINTS } else { 0 },
        };
        match settings.samples {
            points if self.features && points < features::FEWEST_POINTS as u64 => {
                Err(Error::from(features::FeatureError::TooFew { points: points as usize }).into())
            }
            _ => Ok(settings),
        }
    }

    fn open_files(&self) -> Result<(Option<Opened>, Option<Plot>), Failure> {
        if let (Some(out), Some(plot)) = (&self.out, &self.plot)
            && out == plot
        {
            return Err(Failure::OutputTwice { path: out.clone(), options: "--out and --plot" });
        }
        let plot = self.plot.as_deref().map(|path| Plot::open(path, self.force)).transpose()?;
        Ok((self.out.as_deref().map(|path| files::open(path, self.force)).transpose()?, plot))
    }

    fn how(&self, settings: &Settings) -> String {
        let (points, precision) = (count(settings.samples), settings.precision.name());
        format!("{points} points, {} starts, seed {}, {precision}", self.starts, settings.seed)
    }

    fn heading(&self, surface: &Surface, settings: &Settings, device: &DeviceInfo) -> String {
        format!("{}\n{}\n{}\n\n", summary::surface(surface), self.how(settings), summary::device(device))
    }

    fn record(&self, surface: &Surface, settings: &Settings, device: &DeviceInfo) -> String {
        serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"),
            "surface": surface.label(),
            "dim": surface.dim(),
            "seed": settings.seed,
            "samples": settings.samples,
            "starts": self.starts,
            "precision": settings.precision.name(),
            "device": { "kind": device.kind, "name": device.name, "backend": device.backend, "driver": device.driver },
        })
        .to_string()
    }

    /// What the reader of the numbers should know.
    fn warn(&self, found: &Surveyed, terminal: &Terminal) {
        if found.nonfinite > 0 && terminal.json {
            let (some, all) = (count(found.nonfinite), count(found.samples));
            terminal
                .warning(format_args!("{some} of {all} points have no finite value or gradient; they are left out"));
        }
        if !found.kinks.is_empty() {
            let names = found.kinks.join(", ");
            terminal.note(format_args!(
                "the formula has {names}: where they jump or bend sharply, slopes and Hessians are those beside the place"
            ));
        }
    }
}

/// Runs a survey, writes its points and shows its progress.
fn follow(
    sink: &mut Option<Sink>,
    terminal: &Terminal,
    run: impl FnOnce(&mut dyn FnMut(&Event) -> Flow) -> Result<Surveyed, Error>,
) -> Result<Surveyed, Failure> {
    let bar = terminal.progress(0.0);
    let mut failure = None;
    let found = run(&mut |event| {
        match event {
            Event::Points(piece) => {
                if let Some(Err(error)) = sink.as_mut().map(|sink| sink.samples(piece)) {
                    failure = Some(error);
                    return Flow::Stop;
                }
            }
            Event::Progress { done, total } => {
                bar.set_length(*total);
                bar.set_position(*done);
            }
        }
        if interrupt::asked() { Flow::Stop } else { Flow::Continue }
    });
    bar.finish_and_clear();
    match failure {
        Some(failure) => Err(failure),
        None => Ok(found?),
    }
}

/// Features of the points that a survey kept.
fn features_of(found: &Surveyed) -> Result<(usize, Features), Failure> {
    match &found.sample {
        Some(sample) => Ok((sample.points(), features::all(sample))),
        None => {
            let left = found.samples.saturating_sub(found.nonfinite).min(FEATURE_POINTS as u64) as usize;
            Err(Error::from(features::FeatureError::TooFew { points: left.min(features::FEWEST_POINTS - 1) }).into())
        }
    }
}

/// A file of points and values.
fn read_sample(path: &Path) -> Result<Sample, Failure> {
    let table = Table::read(path)?;
    let names = table.names();
    let Some(y) = ["y", "value"].into_iter().find(|y| names.iter().any(|name| name == y)) else {
        return Err(Failure::NoValues { path: path.to_owned(), columns: names.join(", ") });
    };
    // x0, x1, … in the order of their numbers; in a table without such names all that is left.
    let numbered = |name: &str| name.strip_prefix('x').and_then(|digits| digits.parse::<u32>().ok());
    let mut columns: Vec<&String> = names.iter().filter(|name| numbered(name).is_some()).collect();
    columns.sort_by_key(|name| numbered(name));
    if columns.is_empty() {
        columns = names.iter().filter(|name| *name != y && !name.is_empty()).collect();
    }
    if columns.is_empty() {
        return Err(Failure::NoCoordinates { path: path.to_owned() });
    }
    let columns: Vec<&[f64]> =
        columns.into_iter().map(|name| table.numbers(name)).collect::<Result<_, _>>().map_err(Error::from)?;
    let x = (0..table.rows()).flat_map(|row| columns.iter().map(move |c| c[row])).collect();
    let y = table.numbers(y).map_err(Error::from)?.to_vec();
    Ok(Sample::new(columns.len(), x, y).map_err(Error::from)?)
}
