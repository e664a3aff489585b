//! The arguments of `catchment map` as a plane, a line, descents.

use super::{MapArgs, What, directions};
use crate::cli::args::{Interval, interval};
use crate::cli::{Failure, points};
use catchment::map::{self, Against, Descents, MapError, Plane, Span, Watch};
use catchment::random::Points;
use catchment::{Engine, Error, Surface};
use std::path::Path;

/// What the options say, as far as it can be read without the surface.
pub struct Request {
    pub size: u32,
    what: What,
    view: Vec<(String, Interval)>,
    at: Vec<(String, f64)>,
    point: Option<String>,
    directions: map::Directions,
    seed: u64,
}

/// A learning-rate map.
pub struct Rates {
    pub x: Span,
    pub y: Span,
    pub against: Against,
    pub start: Vec<f64>,
    pub descents: Descents,
}

/// Where a start stands that nobody names, as a part of each side: off the middle, which often is special.
const OFF_MIDDLE: f64 = 0.7;
/// Numbers that the CPU has done with before a GPU is open.
const LITTLE: f64 = 5e9;

impl Request {
    /// Reads the options and refuses those that are nothing to the map.
    pub fn new(args: &MapArgs, surface: &Surface) -> Result<Request, Failure> {
        let size = u32::try_from(args.size.0).unwrap_or(u32::MAX);
        if !(map::FEWEST_PIXELS..=map::MOST_PIXELS).contains(&size) {
            return Err(Error::from(MapError::Size { size }).into());
        }
        let cut = matches!(args.what, What::Slice | What::Line);
        let plain = matches!(args.what, What::Contour | What::Surface3d) || cut;
        let nothing_to: [(bool, &'static str); 9] = [
            (args.at.is_some() && (cut || args.what == What::LearningRate), "--at"),
            (args.point.is_some() && !cut, "--point"),
            (args.directions.is_some() && !cut, "--directions"),
            (args.lr.is_some() && args.what != What::LearningRate, "--lr"),
            (args.against.is_some() && args.what != What::LearningRate, "--against"),
            (args.view.is_some() && args.what == What::LearningRate, "--view"),
            (!args.optimizer.is_empty() && plain, "--optimizer"),
            (!args.start.is_empty() && (plain || args.what == What::Basins), "--start"),
            ((args.steps.is_some() || args.gtol.is_some()) && plain, "--steps and --gtol"),
        ];
        if let Some((_, option)) = nothing_to.into_iter().find(|(given, _)| *given) {
            return Err(Failure::MapOption { option, what: args.what.name() });
        }
        if args.optimizer.len() > 1 && args.what != What::Trajectories {
            let problem = format!("{} are given", args.optimizer.len());
            return Err(Error::from(MapError::Several { problem }).into());
        }
        let request = Request {
            size,
            what: args.what,
            view: args.view.as_deref().map(|text| ranges("--view", text)).transpose()?.unwrap_or_default(),
            at: args.at.as_deref().map(|text| values("--at", text)).transpose()?.unwrap_or_default(),
            point: args.point.clone(),
            directions: directions(args),
            seed: args.seed.0,
        };
        // A plane that makes no sense is told before a file is made.
        if !cut && args.what != What::LearningRate {
            request.plane(surface)?;
        }
        Ok(request)
    }

    /// Whether the CPU is done before a GPU is open.
    pub fn is_little(&self, surface: &Surface) -> bool {
        let rows = surface.table().map_or(1.0, |t| f64::from(t.rows));
        let steps = match self.what {
            What::Basins | What::LearningRate => 200.0,
            _ => 1.0,
        };
        f64::from(self.size).powi(2) * f64::from(surface.dim()) * rows * steps < LITTLE
    }

    /// The plane of two coordinates: those that nothing holds, or those that --view names.
    pub fn plane(&self, surface: &Surface) -> Result<Plane, Failure> {
        let names = map::coordinate_names(surface);
        let wrap = |error: MapError| Failure::from(Error::from(error));
        if surface.dim() < 2 {
            return Ok(Plane::of_two(surface)?);
        }
        let number = |name: &str| {
            let long = surface.coordinates();
            names.iter().position(|n| n == name).or_else(|| long.iter().position(|n| n == name)).ok_or_else(|| {
                let (surface, known) = (surface.label().to_owned(), names.clone());
                wrap(MapError::UnknownCoordinate { surface, name: name.to_owned(), known })
            })
        };
        let viewed = self.view.iter().map(|(name, _)| number(name)).collect::<Result<Vec<usize>, Failure>>()?;
        let held = self.at.iter().map(|(name, _)| number(name)).collect::<Result<Vec<usize>, Failure>>()?;
        if let Some(k) = held.iter().position(|i| viewed.contains(i)) {
            let problem = "it is an axis, for --view names it";
            return Err(Failure::MapText { option: "--at", text: self.at[k].0.clone(), problem });
        }
        let free: Vec<usize> = (0..names.len()).filter(|i| !held.contains(i)).collect();
        let axes = match (&viewed[..], &free[..]) {
            (&[i, j], _) => [i, j],
            (_, &[i, j]) => [i, j],
            (&[_, _, _, ..], _) => {
                let problem = "a map has two axes";
                return Err(Failure::MapText { option: "--view", text: self.view[2].0.clone(), problem });
            }
            _ if free.len() < 2 => {
                let problem = "it holds all coordinates but one: leave two free";
                return Err(Failure::MapText { option: "--at", text: self.at[0].0.clone(), problem });
            }
            _ => {
                let (first, second) = (names[free[0]].clone(), names[free[1]].clone());
                return Err(wrap(MapError::NotTwo {
                    surface: surface.label().to_owned(),
                    dim: surface.dim(),
                    first,
                    second,
                }));
            }
        };
        let span = |i: usize| -> Result<Span, Failure> {
            let domain = surface.domain();
            let own = (domain.lo[i], domain.hi[i], domain.log[i]);
            let (lo, hi, log) = viewed.iter().position(|&v| v == i).map_or(own, |k| self.view[k].1);
            Ok(Span::new(&names[i], lo, hi, log).map_err(Error::from)?)
        };
        Ok(Plane::of_coordinates(surface, span(axes[0])?, span(axes[1])?, &self.at)?)
    }

    /// The point that a cut goes through.
    pub fn point(&self, surface: &Surface, engine: &Engine, watch: &mut Watch<'_>) -> Result<Vec<f64>, Failure> {
        let minimum = || surface.minima().first().map(|m| m.x.clone()).filter(|x| x.len() == surface.dim() as usize);
        let point = match self.point.as_deref() {
            None => match minimum() {
                Some(x) => x,
                None => map::best_point(engine, surface, self.seed, watch)?,
            },
            Some("minimum") => {
                let missing = || Error::from(MapError::NoMinimum { surface: surface.label().to_owned() });
                minimum().ok_or_else(missing)?
            }
            Some("best") => map::best_point(engine, surface, self.seed, watch)?,
            Some(text) => match numbers(text) {
                Some(x) => x,
                None if Path::new(text).extension().is_some() || Path::new(text).exists() => {
                    points::read(Path::new(text))?.row(0).to_vec()
                }
                None => {
                    let problem = "it is 0.1,0.2,… with finite numbers, a CSV file, minimum or best";
                    return Err(Failure::MapText { option: "--point", text: text.to_owned(), problem });
                }
            },
        };
        match point.len() == surface.dim() as usize {
            true => Ok(point),
            false => {
                let (expected, got) = (surface.dim() as usize, point.len());
                Err(Error::from(MapError::PointLength { expected, got }).into())
            }
        }
    }

    /// The range of a direction: as --view says by the coordinate's name or by `letter`, else as far as the domain goes.
    fn along(
        &self,
        surface: &Surface,
        letter: &str,
        name: &str,
        point: &[f64],
        direction: &[f64],
    ) -> Result<(Span, bool), Failure> {
        let coordinate = map::coordinate_names(surface).iter().any(|n| n == name);
        let label = if coordinate { name.to_owned() } else { format!("{letter}: {name}") };
        let known = |n: &str| n == letter || n == name;
        let span = match self.view.iter().find(|(n, _)| known(n)) {
            Some((_, (lo, hi, log))) => Span::new(&label, *lo, *hi, *log).map_err(Error::from)?,
            None => {
                let reach = map::reach(surface, &label, point, direction).map_err(Error::from)?;
                let here: f64 = if coordinate { point.iter().zip(direction).map(|(p, d)| p * d).sum() } else { 0.0 };
                Span { lo: reach.lo + here, hi: reach.hi + here, ..reach }
            }
        };
        Ok((span, coordinate))
    }

    /// A view that names what is no axis.
    fn check_view(&self, known: &[String]) -> Result<(), Failure> {
        match self.view.iter().find(|(name, _)| !known.contains(name)) {
            None => Ok(()),
            Some((name, _)) => {
                let problem = "no axis is called so: coordinates by their names, other directions a and b";
                Err(Failure::MapText { option: "--view", text: name.clone(), problem })
            }
        }
    }

    /// The plane of a slice, and where the point stands in it.
    pub fn cut(&self, surface: &Surface, point: &[f64]) -> Result<(Plane, [f64; 2]), Failure> {
        let found = self.directions.at(surface, point, 2, self.seed)?;
        let [(first, u), (second, v)] = &found[..] else {
            return Err(Error::from(MapError::OneCoordinate { surface: surface.label().to_owned() }).into());
        };
        self.check_view(&["a".to_owned(), "b".to_owned(), first.clone(), second.clone()])?;
        let (x, own_x) = self.along(surface, "a", first, point, u)?;
        let (y, own_y) = self.along(surface, "b", second, point, v)?;
        // A coordinate's axis has its own numbers, so its place in the origin is 0.
        let bare = |own: bool, d: &[f64], p: f64, k: usize| if own && d[k] != 0.0 { 0.0 } else { p };
        let origin: Vec<f64> =
            point.iter().enumerate().map(|(k, &p)| bare(own_y, v, bare(own_x, u, p, k), k)).collect();
        let plane = Plane::through(&origin, u, v, x, y)?;
        let at = plane.project(point).0;
        Ok((plane, at))
    }

    /// The origin, the direction and the range of a line.
    pub fn line(
        &self,
        surface: &Surface,
        engine: &Engine,
        watch: &mut Watch<'_>,
    ) -> Result<(Vec<f64>, Vec<f64>, Span), Failure> {
        if surface.dim() == 1 && self.point.is_none() {
            let name = map::coordinate_names(surface)[0].clone();
            self.check_view(std::slice::from_ref(&name))?;
            let domain = surface.domain();
            let own = (domain.lo[0], domain.hi[0], domain.log[0]);
            let (lo, hi, log) = self.view.first().map_or(own, |(_, range)| *range);
            return Ok((vec![0.0], vec![1.0], Span::new(&name, lo, hi, log).map_err(Error::from)?));
        }
        let mut point = self.point(surface, engine, watch)?;
        let found = self.directions.at(surface, &point, 1, self.seed)?;
        let Some((name, direction)) = found.into_iter().next() else {
            return Err(Error::from(MapError::OneCoordinate { surface: surface.label().to_owned() }).into());
        };
        self.check_view(&["a".to_owned(), name.clone()])?;
        let (span, own) = self.along(surface, "a", &name, &point, &direction)?;
        if own {
            point.iter_mut().zip(&direction).filter(|(_, d)| **d != 0.0).for_each(|(p, _)| *p = 0.0);
        }
        Ok((point, direction, span))
    }

    /// What a cut goes through, in words.
    pub fn cut_words(&self, surface: &Surface) -> String {
        let point = match self.point.as_deref() {
            None if surface.minima().is_empty() => "the best point of a search",
            None | Some("minimum") => "the known minimum",
            Some("best") => "the best point of a search",
            Some(text) => text,
        };
        let seed = match self.directions {
            map::Directions::Random => format!(", directions at random from seed {}", self.seed),
            _ => String::new(),
        };
        format!("{} dimensions, through {point}{seed}", surface.dim())
    }

    /// How descents go: as they are asked for, else as suits the surface.
    pub fn descents(&self, args: &MapArgs, surface: &Surface, plane: &Plane, steps: u64) -> Result<Descents, Failure> {
        let mut descents = Descents::suited(surface, plane)?;
        if let Some(text) = args.optimizer.first() {
            descents.optimizer = text.clone();
        }
        descents.steps = args.steps.map_or(steps, |n| n.0);
        descents.gtol = args.gtol.unwrap_or(descents.gtol);
        descents.bounds = args.bounds.bounds();
        descents.seed = self.seed;
        descents.precision = args.device.precision();
        Ok(descents)
    }

    /// The optimizers of trajectories: without any, three with learning rates that suit the surface.
    pub fn optimizers(&self, args: &MapArgs, surface: &Surface, plane: &Plane) -> Result<Vec<String>, Failure> {
        if !args.optimizer.is_empty() {
            return Ok(args.optimizer.clone());
        }
        let (curvature, _) = map::measure(surface, plane)?;
        let two = |v: f64| format!("{v:.1e}").parse().unwrap_or(v);
        let width = (plane.x.hi - plane.x.lo).min(plane.y.hi - plane.y.lo);
        let text = |name: &str, lr: f64| format!("{name}(lr={})", catchment::report::number(two(lr), 2));
        Ok(vec![text("momentum", 0.2 / curvature), text("adam", 0.01 * width), text("rprop", 0.01 * width)])
    }

    /// Where trajectories start: as given, or drawn in the view.
    pub fn starts(&self, args: &MapArgs, surface: &Surface, plane: &Plane) -> Result<Points, Failure> {
        let mut all = Vec::new();
        for text in &args.start {
            // Coordinates that are not named have their values in the plane.
            let base = plane.point(plane.x.at(OFF_MIDDLE), plane.y.at(OFF_MIDDLE));
            all.extend(placed(surface, base, text)?);
        }
        if args.start.is_empty() {
            let n = args.restarts.0;
            if !(1..=1000).contains(&n) {
                let expected = "between 1 and 1000";
                return Err(Error::Setting { name: "the number of starts", value: n as f64, expected }.into());
            }
            let stream = catchment::random::Stream::new(self.seed, 0, 0, catchment::random::Purpose::Start);
            let unit = |i: u32| f64::from(catchment::random::uniform(stream.word(i)));
            for k in 0..n as u32 {
                all.extend(plane.point(plane.x.at(unit(2 * k)), plane.y.at(unit(2 * k + 1))));
            }
        }
        Ok(Points::new(surface.dim() as usize, all).map_err(Error::from)?)
    }

    /// The axes, start and descents of a learning-rate map.
    pub fn rates(&self, args: &MapArgs, surface: &Surface) -> Result<Rates, Failure> {
        let domain = surface.domain();
        let names = map::coordinate_names(surface);
        let own = |i: usize| Span::new(&names[i], domain.lo[i], domain.hi[i], domain.log[i]).map_err(Error::from);
        let mut start = Vec::new();
        for i in 0..names.len() {
            start.push(own(i)?.at(OFF_MIDDLE));
        }
        match &args.start[..] {
            [] => {}
            [text] => start = placed(surface, start, text)?,
            [_, second, ..] => {
                let problem = "a learning-rate map has one start";
                return Err(Failure::MapText { option: "--start", text: second.clone(), problem });
            }
        }
        let (y, against) = match args.against.as_deref() {
            None => (own(0)?, Against::Coordinate(0)),
            Some(text) => {
                let (name, (lo, hi, log)) = match &ranges("--against", text)?[..] {
                    [one] => one.clone(),
                    _ => {
                        let problem = "one range is wanted, as x0=-5:5 or beta=0:0.99";
                        return Err(Failure::MapText { option: "--against", text: text.to_owned(), problem });
                    }
                };
                let long = surface.coordinates();
                let coordinate = names.iter().position(|n| *n == name).or_else(|| long.iter().position(|n| *n == name));
                let y = Span::new(&name, lo, hi, log).map_err(Error::from)?;
                match coordinate {
                    Some(i) => (Span { name: format!("start {}", names[i]), ..y }, Against::Coordinate(i)),
                    None => (y, Against::Hyper(name)),
                }
            }
        };
        let y = if args.against.is_none() { Span { name: format!("start {}", y.name), ..y } } else { y };
        if against == Against::Hyper("lr".to_owned()) {
            let problem = "lr goes across: choose another hyperparameter, or a coordinate";
            return Err(Failure::MapText { option: "--against", text: y.name, problem });
        }
        // Scales are measured along the first two coordinates through the start.
        let last = names.len() - 1;
        let unit = |k: usize, on: f64| (0..names.len()).map(|c| if c == k { on } else { 0.0 }).collect::<Vec<f64>>();
        let origin: Vec<f64> = start.iter().enumerate().map(|(k, &v)| if k <= 1 { 0.0 } else { v }).collect();
        let (first, second) = (own(0)?, own(last.min(1))?);
        let measured = match last {
            0 => Plane::through(&origin, &unit(0, 1.0), &unit(0, 0.0), first, second)?,
            _ => Plane::through(&origin, &unit(0, 1.0), &unit(1, 1.0), first, second)?,
        };
        let mut descents = self.descents(args, surface, &measured, 500)?;
        if args.optimizer.is_empty() {
            "sgd".clone_into(&mut descents.optimizer);
        }
        let x = match args.lr.as_deref() {
            Some(text) => {
                let (lo, hi, log) = interval(text).map_err(|_| Failure::MapText {
                    option: "--lr",
                    text: text.to_owned(),
                    problem: RANGE,
                })?;
                Span::new("lr", lo, hi, log).map_err(Error::from)?
            }
            None => {
                let (curvature, _) = map::measure(surface, &measured)?;
                let two = |v: f64| format!("{v:.0e}").parse().unwrap_or(v);
                Span::new("lr", two(0.1 / curvature), two(30.0 / curvature), true).map_err(Error::from)?
            }
        };
        Ok(Rates { x, y, against, start, descents })
    }
}

const RANGE: &str = "a range is LO:HI or LO:HI:log, with finite ends in order";

/// A start with some coordinates named.
fn placed(surface: &Surface, mut base: Vec<f64>, text: &str) -> Result<Vec<f64>, Failure> {
    let (names, long) = (map::coordinate_names(surface), surface.coordinates());
    for (name, value) in values("--start", text)? {
        let place = names.iter().position(|n| *n == name).or_else(|| long.iter().position(|n| *n == name));
        let unknown = || {
            let (surface, known) = (surface.label().to_owned(), names.clone());
            Error::from(MapError::UnknownCoordinate { surface, name: name.clone(), known })
        };
        base[place.ok_or_else(unknown)?] = value;
    }
    Ok(base)
}

/// Finite numbers with commas between.
fn numbers(text: &str) -> Option<Vec<f64>> {
    text.split(',').map(|part| part.trim().parse().ok().filter(|v: &f64| v.is_finite())).collect()
}

/// Reads `NAME=LO:HI,NAME=LO:HI:log`.
fn ranges(option: &'static str, text: &str) -> Result<Vec<(String, Interval)>, Failure> {
    let read = |(name, range): (String, String)| match interval(&range) {
        Ok(read) => Ok((name, read)),
        Err(_) => Err(Failure::MapText { option, text: format!("{name}={range}"), problem: RANGE }),
    };
    pairs(option, text, "it is NAME=LO:HI, with commas between")?.into_iter().map(read).collect()
}

/// Reads `NAME=VALUE,NAME=VALUE`.
fn values(option: &'static str, text: &str) -> Result<Vec<(String, f64)>, Failure> {
    let problem = "it is NAME=VALUE with finite numbers, and commas between";
    let read = |(name, value): (String, String)| match value.parse::<f64>() {
        Ok(v) if v.is_finite() => Ok((name, v)),
        _ => Err(Failure::MapText { option, text: format!("{name}={value}"), problem }),
    };
    pairs(option, text, problem)?.into_iter().map(read).collect()
}

/// Splits at commas outside of brackets, for coordinates are called `W[0, 1]` too. No name may come twice.
fn pairs(option: &'static str, text: &str, problem: &'static str) -> Result<Vec<(String, String)>, Failure> {
    let mut parts = vec![String::new()];
    let mut depth = 0u32;
    for c in text.chars() {
        depth = match c {
            '[' => depth + 1,
            ']' => depth.saturating_sub(1),
            _ => depth,
        };
        match (c, parts.last_mut()) {
            (',', _) if depth == 0 => parts.push(String::new()),
            (c, Some(last)) => last.push(c),
            _ => {}
        }
    }
    let mut out: Vec<(String, String)> = Vec::new();
    for part in parts {
        let wrong = |problem| Failure::MapText { option, text: part.clone(), problem };
        let (name, value) = part.split_once('=').ok_or_else(|| wrong(problem))?;
        let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
        if name.is_empty() {
            return Err(wrong(problem));
        }
        if out.iter().any(|(n, _)| *n == name) {
            return Err(wrong("it is named twice"));
        }
        out.push((name, value));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_values_are_read() {
        let read = ranges("--view", "x0=-5:5, W[0, 1]=1e-3:10:log").unwrap();
        assert_eq!(read, [("x0".to_owned(), (-5.0, 5.0, false)), ("W[0, 1]".to_owned(), (1e-3, 10.0, true))]);
        for text in ["", "x0", "x0=", "x0=1", "x0=2:1", "=1:2", "x0=0:1,x0=0:2", "x0=0:1,", "x0=nan:1"] {
            assert!(ranges("--view", text).is_err(), "{text}");
        }
        for text in ["x0=inf", "x0=a", "x0"] {
            assert!(values("--at", text).is_err(), "{text}");
        }
        assert_eq!(numbers("1, -2.5"), Some(vec![1.0, -2.5]));
        assert_eq!(numbers("1,nan"), None);
    }
}
