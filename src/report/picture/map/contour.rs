//! Filled contours, and the ways of descents over them.

use super::sheet::{Sheet, WORDS};
use super::{Place, Words, short};
use crate::Status;
use crate::map::{Field, Plane, Tone, Track, isolines};
use crate::report::picture::color::{BLACK, GREY, SERIES, WHITE};
use crate::report::picture::colormap::{self, NO_NUMBER};
use crate::report::picture::{Anchor, Color, Picture, Raster};

/// Bands between lines of equal value, at most.
const BANDS: usize = 15;
/// Lines are followed on at most so many pixels a side.
const FOLLOWED: u32 = 512;

/// The colours of a field's bands.
pub(super) struct Bands<'a> {
    pub(super) tone: &'a Tone,
    pub(super) levels: Vec<f64>,
}

impl Bands<'_> {
    pub(super) fn new(tone: &Tone) -> Bands<'_> {
        Bands { tone, levels: tone.levels(BANDS - 1) }
    }

    /// The shade of a value's band, from 0 to 1; NaN where there is no value.
    pub(super) fn shade(&self, value: f64) -> f64 {
        if !value.is_finite() {
            return f64::NAN;
        }
        self.levels.partition_point(|&level| level <= value) as f64 / self.levels.len().max(1) as f64
    }

    /// Marks of the bar: all levels and both ends.
    pub(super) fn marks(&self) -> Vec<(f64, String)> {
        let inner = self.levels.iter().map(|&level| (self.tone.place(level), short(level)));
        let ends = [(0.0, short(self.tone.lo)), (1.0, short(self.tone.hi))];
        let mut marks: Vec<(f64, String)> = ends.into_iter().chain(inner).collect();
        marks.sort_by(|a, b| a.0.total_cmp(&b.0));
        marks
    }
}

/// Filled contours of a field with lines between the bands, and names at places; the lowest band is the darkest.
pub fn contour(words: &Words, plane: &Plane, field: &Field, tone: &Tone, places: &[Place]) -> Picture {
    let bands = Bands::new(tone);
    let mut sheet = filled(words, plane, field, &bands, colormap::sequential, 152.0);
    legend(&mut sheet, &bands, field, colormap::sequential, sheet_height(0));
    name_places(&mut sheet, plane, places);
    sheet.picture
}

/// How much of the column the bar leaves to `rows` keys below.
fn sheet_height(rows: usize) -> f32 {
    if rows == 0 { 0.0 } else { 20.0 + 38.0 * rows as f32 }
}

fn name_places(sheet: &mut Sheet, plane: &Plane, places: &[Place]) {
    let at: Vec<[f64; 2]> = places.iter().map(|p| plane.place(p.at)).collect();
    at.iter().for_each(|&at| sheet.keep_clear(at, 5.0));
    for (place, at) in places.iter().zip(at) {
        sheet.mark(at, &place.name, Color::new(213, 94, 0));
    }
}

fn filled(
    words: &Words,
    plane: &Plane,
    field: &Field,
    bands: &Bands<'_>,
    color: fn(f64) -> Color,
    column: f32,
) -> Sheet {
    let mut sheet = Sheet::new(words, field.width, Sheet::margin(&plane.y), column);
    sheet.fill(Raster::new(field.width, field.height, |column, row| color(bands.shade(field.at(column, row)))));
    let thin = field.thinned(FOLLOWED);
    for level in &bands.levels {
        let clip = sheet.clip();
        for line in isolines(&thin, *level) {
            let places = line.into_iter().map(|[x, y]| Some(sheet.at([x, 1.0 - y])));
            for run in clip.line(places.collect::<Vec<_>>()) {
                sheet.picture.line(run, BLACK.with_opacity(105), 0.7, false);
            }
        }
    }
    sheet.axes(&plane.x, &plane.y);
    sheet
}

/// The bar of bands, what they are, and what grey is.
pub(super) fn legend(sheet: &mut Sheet, bands: &Bands<'_>, field: &Field, color: fn(f64) -> Color, below: f32) {
    let (top, undefined) = (sheet.top + 20.0, field.undefined());
    let height = sheet.side - 20.0 - below - if undefined > 0 { 30.0 } else { 0.0 };
    sheet.words(sheet.top + 8.0, BLACK, "value");
    sheet.bar(top, height.max(60.0), |part| color(bands.shade(bands.tone.at(part))), &bands.marks());
    if undefined > 0 {
        let share = undefined as f64 / field.values.len() as f64;
        let text = format!("not finite ({})", crate::report::percent(share));
        sheet.key(top + height.max(60.0) + 24.0, NO_NUMBER, &text);
    }
}

/// The ways of descents over pale contours, a colour an optimizer, named at their ends and explained beside.
pub fn trajectories(
    words: &Words,
    plane: &Plane,
    field: &Field,
    tone: &Tone,
    tracks: &[Track],
    places: &[Place],
) -> Picture {
    let bands = Bands::new(tone);
    let configurations: Vec<(usize, &Track)> = {
        let mut seen = Vec::new();
        for track in tracks {
            if !seen.iter().any(|(k, _)| *k == track.configuration) {
                seen.push((track.configuration, track));
            }
        }
        seen
    };
    let shown = configurations.len().min(MOST_KEYS);
    let below = sheet_height(shown + usize::from(shown < configurations.len()));
    let mut sheet = filled(words, plane, field, &bands, colormap::pale, 236.0);
    legend(&mut sheet, &bands, field, colormap::pale, below);
    let ways: Vec<Vec<[f64; 2]>> =
        tracks.iter().map(|t| t.points.iter().map(|x| plane.place(plane.project(x).0)).collect()).collect();
    for way in &ways {
        way.first().into_iter().chain(way.last()).for_each(|&at| sheet.keep_clear(at, 4.0));
    }
    let clip = sheet.clip();
    for (track, way) in tracks.iter().zip(&ways) {
        let color = color_of(track.configuration);
        let places: Vec<Option<[f32; 2]>> =
            way.iter().map(|at| at.iter().all(|v| v.is_finite()).then(|| sheet.at(*at))).collect();
        let runs = clip.line(places.iter().copied());
        // A white edge lifts a line off the contours and off other lines.
        runs.iter().for_each(|run| sheet.picture.line(run.clone(), WHITE, 4.2, false));
        runs.into_iter().for_each(|run| sheet.picture.line(run, color, 2.2, false));
        if way.len() <= DOTTED {
            let inside = places.into_iter().flatten().filter(|&at| clip.holds(at));
            sheet.picture.dots(inside.collect::<Vec<_>>(), 2.1, color);
        }
    }
    name_places(&mut sheet, plane, places);
    for (track, way) in tracks.iter().zip(&ways) {
        let (Some(&first), Some(&last)) = (way.first(), way.last()) else { continue };
        let [first, last] = [first, last].map(|at| sheet.at(at));
        if clip.holds(first) {
            sheet.picture.dots([first], 4.6, BLACK);
            sheet.picture.dots([first], 3.2, WHITE);
        }
        if clip.holds(last) {
            sheet.picture.dots([last], 5.0, WHITE);
            sheet.picture.dots([last], 3.8, color_of(track.configuration));
        }
        if track.start == 0 {
            // Along the way, first where it is half done: ends of several ways often coincide.
            let name = track.optimizer.split('(').next().unwrap_or_default().to_owned();
            let lengths: Vec<f64> = way
                .windows(2)
                .scan(0.0, |sum, w| {
                    *sum += (w[1][0] - w[0][0]).hypot(w[1][1] - w[0][1]);
                    Some(*sum)
                })
                .collect();
            let whole = lengths.last().copied().unwrap_or(0.0);
            for part in [0.5, 0.35, 0.65, 0.2, 0.8, 0.1, 0.95] {
                let at = way[lengths.partition_point(|&l| l < part * whole).min(way.len() - 1)];
                let at = sheet.at(at);
                if clip.holds(at) && sheet.name(at, 8.0, &name, color_of(track.configuration)) {
                    break;
                }
            }
        }
    }
    let mut y = sheet.top + sheet.side - below + 30.0;
    for (k, track) in configurations.iter().take(shown) {
        let x = sheet.column;
        sheet.picture.line(vec![[x, y - 4.0], [x + 22.0, y - 4.0]], color_of(*k), 3.0, false);
        let name = crate::report::picture::chart::fitted(&track.optimizer, WORDS - 1.0, 192.0);
        sheet.picture.text([x + 29.0, y], WORDS - 1.0, Anchor::Start, false, BLACK, &name);
        let end = format!("{} in {} steps, {}", short(track.value), track.steps, ending(track.status));
        sheet.picture.text([x + 29.0, y + 15.0], WORDS - 2.0, Anchor::Start, false, GREY, &end);
        y += 38.0;
    }
    if shown < configurations.len() {
        sheet.words(y, GREY, &format!("and {} more", configurations.len() - shown));
    }
    sheet.picture
}

/// How a way ended, in a word or two.
fn ending(status: Status) -> &'static str {
    match status {
        Status::Converged | Status::Target => "arrived",
        Status::Stalled => "stalled",
        Status::MaxSteps => "on the way",
        Status::Diverged => "ran away",
        Status::Nonfinite => "not defined",
    }
}

/// Ways of so few points have a dot at each.
const DOTTED: usize = 60;
/// Optimizers that are explained beside the picture.
const MOST_KEYS: usize = 8;

fn color_of(configuration: usize) -> Color {
    const MORE: [Color; 2] = [Color::new(136, 34, 85), Color::new(51, 34, 136)];
    let all = SERIES.len() + MORE.len();
    *SERIES.iter().chain(&MORE).nth(configuration % all).unwrap_or(&SERIES[0])
}
