//! What `catchment map` says: a line about the picture, a small table, the entries of the document.

use super::Drawn;
use super::request::Rates;
use catchment::DeviceInfo;
use catchment::Surface;
use catchment::map::{Against, BasinMap, Curve, Descents, Fate, Field, Kind, RateMap, Tone, Track};
use catchment::report::json::{MapBasin, MapWay};
use catchment::report::{Align, Table, count, number, percent, point, seconds, summary};
use std::path::Path;

/// Rows of a table, at most.
const MOST: usize = 16;

/// All of it.
pub fn text(drawn: &Drawn, device: &DeviceInfo, out: &Path) -> String {
    let timing = &drawn.document.timing;
    let (run, draw, total) = (seconds(timing.run_s), seconds(timing.draw_s), seconds(timing.total_s));
    let details = if drawn.details.is_empty() { String::new() } else { format!("{}\n", drawn.details) };
    format!(
        "{}\n{details}{} written {}: {run} to compute, {draw} to draw, {total} in all\n",
        drawn.what,
        out.display(),
        summary::device(device)
    )
}

/// How descents went.
pub fn descents(descents: &Descents) -> String {
    format!("{}, {}", descents.optimizer, limits(descents))
}

/// When descents end.
pub fn limits(descents: &Descents) -> String {
    let (steps, gtol) = (count(descents.steps), number(descents.gtol, 3));
    format!("at most {steps} steps, arrived where |gradient| ≤ {gtol}")
}

/// The range of a field, and what is missing in it.
pub fn field(field: &Field, tone: &Tone) -> String {
    let shades = if tone.is_bent() { "; shades follow a logarithm above the lowest" } else { "" };
    let undefined = match field.undefined() {
        0 => String::new(),
        n => {
            format!("\nnot finite, drawn grey: {} pixels ({})", count(n), percent(n as f64 / field.values.len() as f64))
        }
    };
    format!("values from {} to {}{shades}{undefined}\n", number(tone.lo, 6), number(tone.hi, 6))
}

/// A table of the minima on a line.
pub fn curve(curve: &Curve) -> String {
    let name = curve.span.name.clone();
    let mut table = Table::new(&[("value", Align::Right), (&name, Align::Right)]);
    for &(at, value) in curve.minima.iter().take(MOST) {
        table.row([number(value, 8), number(at, 8)]);
    }
    let undefined = match curve.undefined {
        0 => String::new(),
        n => format!("not finite, left out: {} of {} places\n", count(n), count(curve.at.len() as u64)),
    };
    match curve.minima.len() {
        0 => format!("no minimum between the ends\n{undefined}"),
        n => format!("{} minima between the ends\n\n{}{}{undefined}", count(n as u64), table.text(false), more(n)),
    }
}

fn more(rows: usize) -> String {
    if rows > MOST { format!("… and {} more (--json has all)\n", count((rows - MOST) as u64)) } else { String::new() }
}

/// A value; what rounding left of 0 is 0.
fn level(value: f64) -> String {
    number(if value.abs() < 1e-20 { 0.0 } else { value }, 6)
}

/// A table of basins.
pub fn basins(map: &BasinMap) -> String {
    let columns = [
        ("share", Align::Right),
        ("pixels", Align::Right),
        ("value", Align::Right),
        ("mean steps", Align::Right),
        ("kind", Align::Left),
        ("x", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for (i, basin) in map.basins.iter().enumerate().take(MOST) {
        table.row([
            percent(map.share(i)),
            count(basin.pixels),
            level(basin.value),
            number(basin.mean_steps, 4),
            basin.kind.name().to_owned(),
            point(&basin.x, 7, 6),
        ]);
    }
    let all = map.label.len() as f64;
    let names = ["on their way still after the last step", "ran away", "came to where the surface is not defined"];
    for (name, pixels) in names.into_iter().zip(map.elsewhere).filter(|(_, pixels)| *pixels > 0) {
        let empty = String::new();
        table.row([percent(pixels as f64 / all), count(pixels), empty.clone(), empty.clone(), empty, name.to_owned()]);
    }
    let minima = map.basins.iter().filter(|b| b.kind == Kind::Minimum).count();
    let others = map.basins.len() - minima;
    let others = if others == 0 { String::new() } else { format!(" and at {} other places", count(others as u64)) };
    format!(
        "{} descents ended at {} minima{others}\n\n{}{}",
        count(map.label.len() as u64),
        count(minima as u64),
        table.text(false),
        more(map.basins.len())
    )
}

/// Basins for the document.
pub fn basin_entries(map: &BasinMap) -> Vec<MapBasin> {
    let entry = |(i, basin): (usize, &catchment::map::Basin)| MapBasin {
        x: basin.x.clone(),
        value: basin.value,
        kind: basin.kind.name(),
        pixels: Some(basin.pixels),
        fraction: Some(map.share(i)),
        mean_steps: Some(basin.mean_steps),
    };
    map.basins.iter().enumerate().map(entry).collect()
}

/// Minima of a line for the document.
pub fn minima_entries(curve: &Curve, origin: &[f64], direction: &[f64]) -> Vec<MapBasin> {
    let entry = |&(at, value): &(f64, f64)| MapBasin {
        x: origin.iter().zip(direction).map(|(o, d)| o + at * d).collect(),
        value,
        kind: Kind::Minimum.name(),
        pixels: None,
        fraction: None,
        mean_steps: None,
    };
    curve.minima.iter().map(entry).collect()
}

/// A table of ways.
pub fn tracks(tracks: &[Track]) -> String {
    let columns = [
        ("optimizer", Align::Left),
        ("start", Align::Left),
        ("value", Align::Right),
        ("steps", Align::Right),
        ("status", Align::Left),
        ("x", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for track in tracks.iter().take(MOST) {
        let at = |x: Option<&Vec<f64>>| x.map_or(String::new(), |x| point(x, 5, 4));
        table.row([
            track.optimizer.clone(),
            at(track.points.first()),
            number(track.value, 6),
            count(u64::from(track.steps)),
            track.status.name().to_owned(),
            at(track.points.last()),
        ]);
    }
    table.text(false) + &more(tracks.len())
}

/// Ways for the document.
pub fn ways(tracks: &[Track]) -> Vec<MapWay> {
    let way = |track: &Track| MapWay {
        optimizer: track.optimizer.clone(),
        start: track.points.first().cloned().unwrap_or_default(),
        x: track.points.last().cloned().unwrap_or_default(),
        value: track.value,
        steps: track.steps,
        status: track.status.name(),
    };
    tracks.iter().map(way).collect()
}

/// Where the descents of a learning-rate map start.
pub fn start(surface: &Surface, asked: &Rates) -> String {
    let names = catchment::map::coordinate_names(surface);
    let own = match asked.against {
        Against::Coordinate(i) => Some(i),
        Against::Hyper(_) => None,
    };
    let others = names.iter().zip(&asked.start).enumerate().filter(|(i, _)| Some(*i) != own);
    let values: Vec<String> = others.take(4).map(|(_, (name, v))| format!("{name} = {}", number(*v, 4))).collect();
    match values.len() {
        0 => String::new(),
        4 => format!("start {}, …; ", values.join(", ")),
        _ => format!("start {}; ", values.join(", ")),
    }
}

/// A table of fates.
pub fn rates(map: &RateMap) -> String {
    let mut table = Table::new(&[
        ("share", Align::Right),
        ("pixels", Align::Right),
        ("mean steps", Align::Right),
        ("", Align::Left),
    ]);
    let rows = [(Fate::Converged, "converged"), (Fate::Diverged, "ran away"), (Fate::Undecided, "neither")];
    for (fate, name) in rows {
        let own = map.fate.iter().zip(&map.steps).filter(|(f, _)| **f == fate);
        let (n, sum) = own.fold((0u64, 0u64), |(n, sum), (_, &steps)| (n + 1, sum + u64::from(steps)));
        let mean = if n == 0 { String::new() } else { number(sum as f64 / n as f64, 4) };
        table.row([percent(n as f64 / map.fate.len() as f64), count(n), mean, name.to_owned()]);
    }
    format!("\n{}", table.text(false))
}
