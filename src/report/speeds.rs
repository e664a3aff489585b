//! The picture of a benchmark: coordinate steps a second against restarts, a line for each device and kind of work.

use super::json::BenchResult;
use super::number::count;
use super::picture::{Chart, Color, Panel, Picture, Scale, Series, color};

/// What a benchmark measured.
#[derive(Clone, Copy, Debug)]
pub struct Speeds<'a>(pub &'a [BenchResult]);

/// What tells one line from another, and its words.
type Words = [String; 4];

impl Speeds<'_> {
    /// A device's kind, and its name where there is another of that kind.
    pub fn device(&self, result: &BenchResult) -> String {
        let kind = result.device.kind.to_uppercase();
        let same = |other: &&BenchResult| other.device.kind == result.device.kind;
        match self.0.iter().filter(same).all(|other| other.device.name == result.device.name) {
            true => kind,
            false => format!("{kind} {}", result.device.name),
        }
    }

    /// The picture. What all lines have in common and the devices stand below the title, the rest in the legend; with two devices, each
    /// kind of work has a colour, and the second device's line is dashed.
    pub fn picture(&self) -> Picture {
        let results = self.0;
        let words = |r: &BenchResult| -> Words {
            let dimensions = format!("{} dimension{}", r.dim, if r.dim == 1 { "" } else { "s" });
            [r.surface.clone(), dimensions, r.optimizer.clone(), self.device(r)]
        };
        let all: Vec<Words> = results.iter().map(words).collect();
        let common = |part: usize| all.iter().all(|words| words[part] == all[0][part]);
        let told: Vec<usize> = (0..4).filter(|&part| !common(part)).collect();
        let join = |words: &Words, parts: &[usize]| {
            parts.iter().map(|&part| words[part].as_str()).collect::<Vec<_>>().join(", ")
        };
        let kept: Vec<usize> = (0..4).filter(|part| !told.contains(part)).collect();
        let mut panel = Panel::new("restarts", "coordinate steps per second").scales(Scale::Log, Scale::Log);
        let (mut lines, mut works, mut devices) = (Vec::new(), Vec::new(), Vec::new());
        for words in &all {
            number(&mut lines, words);
            number(&mut works, &words[..3].to_vec());
            number(&mut devices, &words[3]);
        }
        for words in &lines {
            let own = || results.iter().zip(&all).filter(|(_, w)| *w == words).map(|(r, _)| r);
            let mut points: Vec<(u64, f64)> = own().map(|r| (r.restarts, r.coordinate_steps_per_s)).collect();
            points.sort_unstable_by_key(|point| point.0);
            let x: Vec<f64> = points.iter().map(|point| point.0 as f64).collect();
            let y: Vec<f64> = points.iter().map(|point| point.1).collect();
            let (work, device) = (number(&mut works, &words[..3].to_vec()), number(&mut devices, &words[3]));
            // With one kind of work, colours tell devices apart.
            let (color, size) = shade(if works.len() == 1 { device } else { work });
            let name = join(words, &told);
            let line = Series::line(&name, &x, &y, color, 2.2).larger(size);
            let dashed = works.len() > 1 && device % 2 == 1;
            panel.add(if dashed { line.dashed() } else { line });
            panel.add(Series::points(if points.len() == 1 { &name } else { "" }, &x, &y, color).larger(size));
        }
        let mut about = all.first().map_or(String::new(), |words| join(words, &kept));
        if let Some(first) = results.first().filter(|first| results.iter().all(|r| r.steps == first.steps)) {
            about += &format!("{}{} steps", if about.is_empty() { "" } else { ", " }, count(first.steps));
        }
        let mut named: Vec<String> = Vec::new();
        for r in results {
            number(&mut named, &format!("{} {}", r.device.kind.to_uppercase(), r.device.name));
        }
        about += &format!("; {}", named.join(", "));
        Chart::new("Speed against the number of restarts").subtitle(&about).panel(panel, 1.0).draw()
    }
}

/// The place of a thing among those seen, where it is put if it is new.
fn number<T: PartialEq + Clone>(seen: &mut Vec<T>, thing: &T) -> usize {
    seen.iter().position(|one| one == thing).unwrap_or_else(|| {
        seen.push(thing.clone());
        seen.len() - 1
    })
}

/// The colour of a series, and how much larger than usual it is drawn: beyond the six that all readers tell apart colours come again, in
/// thicker lines.
fn shade(number: usize) -> (Color, f32) {
    let all = color::SERIES.len();
    (color::SERIES[number % all], 1.0 + (number / all) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DeviceInfo;
    use crate::report::json::Device;

    fn result(surface: &str, kind: &'static str, restarts: u64) -> BenchResult {
        let device = DeviceInfo { kind, name: format!("a {kind}"), backend: String::new(), driver: String::new() };
        BenchResult {
            surface: surface.to_owned(),
            dim: 10,
            restarts,
            optimizer: "adam(lr=0.1)".to_owned(),
            steps: 200,
            device: Device::new(&device),
            layout: "straight".to_owned(),
            compile_s: 0.0,
            run_s: vec![1.0],
            median_s: 1.0,
            coordinate_steps_per_s: restarts as f64 * 1e4,
            ratio: None,
        }
    }

    #[test]
    fn the_legend_tells_what_differs_and_the_subtitle_the_rest() {
        let two: Vec<BenchResult> =
            ["cpu", "gpu"].into_iter().flat_map(|kind| [100, 10_000].map(|n| result("sphere", kind, n))).collect();
        let svg = Speeds(&two).picture().svg();
        for words in
            [">CPU<", ">GPU<", ">sphere, 10 dimensions, adam(lr=0.1), 200 steps; CPU a cpu, GPU a gpu<", ">restarts<"]
        {
            assert!(svg.contains(words), "no {words} in {svg}");
        }
        assert!(!svg.contains("dasharray"));
        let four: Vec<BenchResult> =
            two.into_iter().chain([result("ackley", "gpu", 5), result("ackley", "cpu", 5)]).collect();
        let svg = Speeds(&four).picture().svg();
        for words in [">sphere, CPU<", ">ackley, GPU<", ">10 dimensions, adam(lr=0.1), 200 steps; CPU"] {
            assert!(svg.contains(words), "no {words} in {svg}");
        }
        assert!(svg.contains("dasharray"));
        let surfaces = ["sphere", "ackley", "trid", "levy", "qing", "alpine1", "griewank"];
        let seven: Vec<BenchResult> =
            surfaces.into_iter().flat_map(|name| [100, 10_000].map(|n| result(name, "cpu", n))).collect();
        let picture = |of: &[BenchResult]| Speeds(of).picture().svg();
        let thick = |svg: &str| svg.contains("stroke-width=\"4.4\"");
        assert!(thick(&picture(&seven)) && !thick(&picture(&seven[..12])), "the seventh line is not the first's twin");
        assert!(Speeds(&[]).picture().svg().starts_with("<svg"));
    }
}
