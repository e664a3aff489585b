//! `catchment map`: pictures of a surface and of what descents do on it.

mod request;
mod words;

use super::args::{Count, DeviceArgs, SurfaceArgs};
use super::{Failure, Terminal, files, interrupt};
use catchment::map::{self, Directions, Field, Plane, Tone, Watch};
use catchment::report::json::{Device, Map, MapAxis, MapRange, MapTiming, Surface as SurfaceEntry};
use catchment::report::picture::map as draw;
use catchment::report::picture::map::{Place, Words};
use catchment::report::picture::{Picture, PictureFormat};
use catchment::report::{json, number};
use catchment::{Bounds, DeviceInfo, Engine, Flow, Surface};
use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use request::Request;
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  Filled contours, and the same surface as a landscape:
    catchment map rosenbrock --what contour --view 'x0=-2:2,x1=-1:3' --out contour.png
    catchment map himmelblau --what surface3d --out relief.svg

  Which minimum each of four million starts reaches, and how soon:
    catchment map himmelblau --what basins --out basins.png
    catchment map six_hump_camel --what basins -o 'momentum(lr=0.01)' --gtol 1e-3 --size 1024 --out basins.png

  The ways of three optimizers from one start:
    catchment map beale --what trajectories -o 'sgd(lr=0.01)' -o 'adam(lr=0.1)' -o rprop --start 'x0=3,x1=-3' --out ways.png

  Where training converges, over learning rate and start, or over learning rate and momentum:
    catchment map himmelblau --what learning-rate --lr 1e-3:1:log --against x0=-5:5 --out edge.png
    catchment map rastrigin --what learning-rate -o momentum --lr 1e-4:1:log --against beta=0:0.99 --out edge.png

  Cuts through many dimensions: two coordinates with the others held, two directions, one:
    catchment map ackley -d 3 --what contour --view 'x0=-5:5,x1=-5:5' --at x2=0.5 --out cut.png
    catchment map styblinski_tang -d 5 --what slice --point minimum --directions hessian --out slice.png
    catchment map rastrigin -d 20 --what line --point best --directions random --seed 3 --out line.svg";

/// `map`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct MapArgs {
    #[command(flatten)]
    surface: SurfaceArgs,
    /// contour, surface3d, basins, trajectories, learning-rate, slice or line
    #[arg(long, value_name = "WHAT", default_value = "contour", hide_possible_values = true, help_heading = "Map")]
    what: What,
    /// Ranges of the axes: x0=-5:5,x1=0:2; NAME=LO:HI:log is logarithmic; a and b are the directions of --directions [default: the domain]
    #[arg(long, value_name = "NAME=LO:HI,…", allow_hyphen_values = true, help_heading = "Map")]
    view: Option<String>,
    /// Values of the coordinates that are no axes: x2=0.5,x3=1
    #[arg(long, value_name = "NAME=VALUE,…", allow_hyphen_values = true, help_heading = "Map")]
    at: Option<String>,
    /// Pixels of a side
    #[arg(long, value_name = "PIXELS", default_value = "2048", help_heading = "Map")]
    size: Count,
    /// For slice and line: a point 0.1,0.2,…, a CSV file with one, 'minimum' (the known one) or 'best' (a search's) [default: minimum, or best]
    #[arg(long, value_name = "POINT", allow_hyphen_values = true, help_heading = "Map")]
    point: Option<String>,
    /// For slice and line: random, hessian (eigenvectors of its largest and smallest eigenvalues) or names of coordinates [default: random]
    #[arg(long, value_name = "DIRECTIONS", help_heading = "Map")]
    directions: Option<String>,
    /// For learning-rate: the range of lr across, LO:HI or LO:HI:log [default: around 1/curvature]
    #[arg(long, value_name = "LO:HI", help_heading = "Map")]
    lr: Option<String>,
    /// For learning-rate: what goes up, a coordinate of the start or a hyperparameter [default: x0 over its domain]
    #[arg(long, value_name = "NAME=LO:HI", allow_hyphen_values = true, help_heading = "Map")]
    against: Option<String>,
    /// A name, a call, a chain with '|' or a path to an .opt file; repeatable for trajectories [default: one that suits, and is told]
    #[arg(short, long, value_name = "OPTIMIZER", help_heading = "Descent")]
    optimizer: Vec<String>,
    /// For trajectories and learning-rate: where they start, x0=-1,x1=1; repeatable for trajectories
    #[arg(long, value_name = "NAME=VALUE,…", allow_hyphen_values = true, help_heading = "Descent")]
    start: Vec<String>,
    /// For trajectories without --start: how many starts are drawn in the view
    #[arg(short = 'n', long, value_name = "STARTS", default_value = "3", help_heading = "Descent")]
    restarts: Count,
    /// Steps of a descent, at most [default: basins 2000, trajectories 300, learning-rate 500]
    #[arg(long, value_name = "N", help_heading = "Descent")]
    steps: Option<Count>,
    /// A descent has arrived where the gradient's norm is at most this [default: one that suits, and is told]
    #[arg(long, value_name = "G", help_heading = "Descent")]
    gtol: Option<f64>,
    /// At the ends of the domain: none, clip, reflect or wrap
    #[arg(long, default_value = "none", hide_possible_values = true, help_heading = "Descent")]
    bounds: BoundsArg,
    /// Seed of all random numbers
    #[arg(long, default_value = "0", help_heading = "Descent")]
    seed: Count,
    #[command(flatten)]
    device: DeviceArgs,
    /// The picture, .png or .svg
    #[arg(long, value_name = "FILE", help_heading = "Files")]
    out: PathBuf,
    /// Replace a file that exists
    #[arg(long, help_heading = "Files")]
    force: bool,
}

/// Kinds of maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Filled contours.
    Contour,
    /// A landscape.
    Surface3d,
    /// Basins of attraction.
    Basins,
    /// Ways of descents.
    Trajectories,
    /// Converged or not, over the learning rate.
    LearningRate,
    /// Filled contours along two directions.
    Slice,
    /// A curve along one direction.
    Line,
}

impl What {
    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            What::Contour => "contour",
            What::Surface3d => "surface3d",
            What::Basins => "basins",
            What::Trajectories => "trajectories",
            What::LearningRate => "learning-rate",
            What::Slice => "slice",
            What::Line => "line",
        }
    }
}

/// What happens at the ends of the domain.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum BoundsArg {
    None,
    Clip,
    Reflect,
    Wrap,
}

impl BoundsArg {
    fn bounds(self) -> Bounds {
        match self {
            BoundsArg::None => Bounds::None,
            BoundsArg::Clip => Bounds::Clip,
            BoundsArg::Reflect => Bounds::Reflect,
            BoundsArg::Wrap => Bounds::Wrap,
        }
    }
}

/// A finished map: its picture, and what is said of it.
struct Drawn {
    picture: Picture,
    document: Map,
    /// One line: what was drawn.
    what: String,
    /// A table, and what else is to be known.
    details: String,
}

/// Parse → compute → draw → report.
pub fn act(args: &MapArgs, terminal: &Terminal) -> Result<(), Failure> {
    let began = Instant::now();
    let format = PictureFormat::of(&args.out)
        .ok_or_else(|| Failure::OutputForm { path: args.out.clone(), forms: ".png or .svg" })?;
    let surface = args.surface.resolve(None, terminal)?;
    let request = Request::new(args, &surface)?;
    let mut file = files::create(&args.out, args.force)?;
    let engine = args.device.open(request.is_little(&surface))?;
    let bar = terminal.progress(1000.0);
    let mut drawn = Work { args, request: &request, surface: &surface, engine: &engine, bar: &bar, began }.draw()?;
    bar.finish_and_clear();
    interrupt::check()?;
    let bytes = drawn.picture.bytes(format).map_err(std::io::Error::other);
    let written = bytes.and_then(|bytes| file.write_all(&bytes)).and_then(|()| file.finish());
    written.map_err(|error| Failure::output(&args.out, error))?;
    let timing = &mut drawn.document.timing;
    timing.total_s = began.elapsed().as_secs_f64();
    timing.draw_s = timing.total_s - timing.run_s;
    if terminal.json {
        return terminal.document(&drawn.document);
    }
    terminal.print(&words::text(&drawn, &engine.device(), &args.out))
}

/// What a map is made from.
struct Work<'a> {
    args: &'a MapArgs,
    request: &'a Request,
    surface: &'a Surface,
    engine: &'a Engine,
    bar: &'a ProgressBar,
    began: Instant,
}

impl Work<'_> {
    fn draw(&self) -> Result<Drawn, Failure> {
        let bar = self.bar;
        let mut receive = |done: f64| {
            bar.set_position((1000.0 * done) as u64);
            if interrupt::asked() { Flow::Stop } else { Flow::Continue }
        };
        let mut watch = Watch::new(&mut receive);
        match self.args.what {
            What::Contour | What::Surface3d => self.field(&self.request.plane(self.surface)?, Vec::new(), &mut watch),
            What::Slice => self.slice(&mut watch),
            What::Line => self.line(&mut watch),
            What::Basins => self.basins(&mut watch),
            What::Trajectories => self.trajectories(&mut watch),
            What::LearningRate => self.rates(&mut watch),
        }
    }

    /// Contours or a relief of a plane.
    fn field(&self, plane: &Plane, mut places: Vec<Place>, watch: &mut Watch<'_>) -> Result<Drawn, Failure> {
        let (field, mut tone) = self.values(plane, watch)?;
        let run = self.began.elapsed().as_secs_f64();
        let relief = self.args.what == What::Surface3d;
        if relief {
            tone = Tone::gentle(field.values.iter().copied());
        }
        places.extend(self.minima(plane));
        if places.is_empty()
            && let Some((value, column, row)) = field.lowest()
        {
            let at = [plane.x.middle(column, field.width), plane.y.middle(field.height - 1 - row, field.height)];
            places.push(Place::new(at, &format!("lowest: {}", number(value, 4).replace('-', "−"))));
        }
        let kind = match self.args.what {
            What::Surface3d => "landscape",
            What::Slice => "slice",
            _ => "filled contours",
        };
        let scale = if tone.is_bent() { "darker is lower (logarithmic)" } else { "darker is lower" };
        let parts = [self.where_it_is(plane), scale.to_owned()];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        let words = self.words(kind, &parts.join("; "));
        let picture = match relief {
            true => draw::relief(&words, plane, &field, &tone),
            false => draw::contour(&words, plane, &field, &tone, &places),
        };
        let mut document = self.document(&[&plane.x, &plane.y], &self.engine.device());
        document.value = Some(MapRange { min: tone.lo, max: tone.hi });
        document.undefined = Some(field.undefined());
        document.timing.run_s = run;
        let details = words::field(&field, &tone);
        Ok(Drawn { picture, what: self.what(kind, &document), document, details })
    }

    fn slice(&self, watch: &mut Watch<'_>) -> Result<Drawn, Failure> {
        let point = self.request.point(self.surface, self.engine, watch)?;
        let (plane, at) = self.request.cut(self.surface, &point)?;
        self.field(&plane, vec![Place::new(at, "the point")], watch)
    }

    fn line(&self, watch: &mut Watch<'_>) -> Result<Drawn, Failure> {
        let (point, direction, span) = self.request.line(self.surface, self.engine, watch)?;
        let (size, precision) = (self.request.size, self.args.device.precision());
        let curve = map::curve(self.engine, self.surface, &point, &direction, &span, size, precision, watch)?;
        let run = self.began.elapsed().as_secs_f64();
        let subtitle = if self.surface.dim() == 1 { String::new() } else { self.request.cut_words(self.surface) };
        let picture = draw::curve(&self.words("along a line", &subtitle), &curve, size);
        let mut document = self.document(&[&span], &self.engine.device());
        document.timing.run_s = run;
        document.undefined = Some(curve.undefined);
        document.basins = Some(words::minima_entries(&curve, &point, &direction));
        let details = words::curve(&curve);
        Ok(Drawn { picture, what: self.what("curve", &document), document, details })
    }

    fn basins(&self, watch: &mut Watch<'_>) -> Result<Drawn, Failure> {
        let plane = self.request.plane(self.surface)?;
        let descents = self.request.descents(self.args, self.surface, &plane, 2000)?;
        let found = map::basins(self.engine, self.surface, &plane, self.request.size, &descents, watch)?;
        let run = self.began.elapsed().as_secs_f64();
        let words = self.words(&format!("basins of {}", descents.optimizer), &words::limits(&descents));
        let picture = draw::basins(&words, &plane, &found);
        let mut document = self.document(&[&plane.x, &plane.y], &found.device);
        (document.optimizers, document.steps) = (vec![descents.optimizer.clone()], Some(descents.steps));
        (document.gtol, document.timing.run_s) = (Some(descents.gtol), run);
        document.basins = Some(words::basin_entries(&found));
        let names = ["not_arrived", "ran_away", "not_defined"].map(str::to_owned);
        document.pixels = Some(json::Entries(names.into_iter().zip(found.elsewhere).collect()));
        let details = format!("{}\n{}", words::descents(&descents), words::basins(&found));
        Ok(Drawn { picture, what: self.what("basins of attraction", &document), document, details })
    }

    fn trajectories(&self, watch: &mut Watch<'_>) -> Result<Drawn, Failure> {
        let plane = self.request.plane(self.surface)?;
        let descents = self.request.descents(self.args, self.surface, &plane, 300)?;
        let optimizers = self.request.optimizers(self.args, self.surface, &plane)?;
        let starts = self.request.starts(self.args, self.surface, &plane)?;
        let (tracks, _) = map::tracks(self.engine, self.surface, &optimizers, &starts, &descents, watch)?;
        let (field, tone) = self.values(&plane, watch)?;
        let run = self.began.elapsed().as_secs_f64();
        let words = self.words("ways of descents", &words::limits(&descents));
        let picture = draw::trajectories(&words, &plane, &field, &tone, &tracks, &self.minima(&plane));
        let mut document = self.document(&[&plane.x, &plane.y], &self.engine.device());
        document.optimizers = optimizers;
        (document.steps, document.gtol) = (Some(descents.steps), Some(descents.gtol));
        (document.ways, document.timing.run_s) = (Some(words::ways(&tracks)), run);
        let details = format!("{}\n\n{}", words::limits(&descents), words::tracks(&tracks));
        Ok(Drawn { picture, what: self.what("ways of descents", &document), document, details })
    }

    fn rates(&self, watch: &mut Watch<'_>) -> Result<Drawn, Failure> {
        let asked = self.request.rates(self.args, self.surface)?;
        let (size, engine) = (self.request.size, self.engine);
        let (x, y) = (&asked.x, &asked.y);
        let found = map::rates(engine, self.surface, &asked.start, x, y, &asked.against, size, &asked.descents, watch)?;
        let run = self.began.elapsed().as_secs_f64();
        let held = words::start(self.surface, &asked);
        let words = self.words(
            &format!("learning rates of {}", asked.descents.optimizer),
            &format!("{held}{}", words::limits(&asked.descents)),
        );
        let picture = draw::rates(&words, &found);
        let mut document = self.document(&[x, y], &found.device);
        (document.optimizers, document.steps) = (vec![asked.descents.optimizer.clone()], Some(asked.descents.steps));
        (document.gtol, document.timing.run_s) = (Some(asked.descents.gtol), run);
        let names = ["converged", "diverged", "undecided"].map(str::to_owned);
        document.pixels = Some(json::Entries(names.into_iter().zip(found.counts).collect()));
        let details = format!("{held}{}\n{}", words::descents(&asked.descents), words::rates(&found));
        Ok(Drawn { picture, what: self.what("learning rates", &document), document, details })
    }

    fn values(&self, plane: &Plane, watch: &mut Watch<'_>) -> Result<(Field, Tone), Failure> {
        let (size, precision) = (self.request.size, self.args.device.precision());
        let field = map::field(self.engine, self.surface, plane, [size, size], precision, watch)?;
        let tone = Tone::of(field.values.iter().copied());
        Ok((field, tone))
    }

    /// Known minima that lie in the plane.
    fn minima(&self, plane: &Plane) -> Vec<Place> {
        let domain = self.surface.domain();
        let widest = domain.lo.iter().zip(&domain.hi).map(|(lo, hi)| hi - lo).fold(0.0, f64::max);
        let place = |m: &catchment::KnownMinimum| {
            let (at, away) = plane.project(&m.x);
            (away <= 1e-5 * widest).then(|| Place::new(at, &number(m.value, 4).replace('-', "−")))
        };
        self.surface.minima().iter().filter_map(place).collect()
    }

    fn words(&self, kind: &str, subtitle: &str) -> Words {
        Words::new(&format!("{} · {kind}", self.surface.label()), subtitle)
    }

    /// What holds the plane in more than two dimensions.
    fn where_it_is(&self, plane: &Plane) -> String {
        match (self.args.what, plane.dim()) {
            (What::Slice, _) => self.request.cut_words(self.surface),
            (_, 2) => String::new(),
            _ => format!("at {}", self.args.at.as_deref().unwrap_or_default()),
        }
    }

    fn what(&self, kind: &str, document: &Map) -> String {
        let span = |a: &MapAxis| {
            let log = if a.log { ", logarithmic" } else { "" };
            format!("{} from {} to {}{log}", a.name, number(a.lo, 6), number(a.hi, 6))
        };
        let spans: Vec<String> = document.view.iter().map(span).collect();
        let size = match self.args.what {
            What::Line => format!("{} places", catchment::report::count(u64::from(document.size))),
            _ => format!("{0} × {0} pixels", document.size),
        };
        format!("{kind} of {}, {size}: {}", self.surface.label(), spans.join("; "))
    }

    fn document(&self, axes: &[&map::Span], device: &DeviceInfo) -> Map {
        let axis = |s: &&map::Span| MapAxis { name: s.name.clone(), lo: s.lo, hi: s.hi, log: s.log };
        Map {
            schema: 1,
            surface: SurfaceEntry::new(self.surface),
            what: self.args.what.name(),
            file: self.args.out.display().to_string(),
            size: self.request.size,
            view: axes.iter().map(axis).collect(),
            optimizers: Vec::new(),
            steps: None,
            gtol: None,
            value: None,
            undefined: None,
            basins: None,
            pixels: None,
            ways: None,
            device: Device::new(device),
            timing: MapTiming { run_s: 0.0, draw_s: 0.0, total_s: 0.0 },
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// The directions that were asked for.
fn directions(args: &MapArgs) -> Directions {
    Directions::parse(args.directions.as_deref().unwrap_or("random"))
}
