//! A survey in words: quantiles of values and slopes, how rugged and how flat it is, and which way it bends.

use super::number::{count, number, percent, seconds};
use super::table::{Align, Table};
use crate::survey::{Curvature, FLAT, Surveyed, Walks, goe};
use crate::{Quantiles, Surface, wilson};

/// Rows of a law that are shown at most, unless all are asked for.
const MOST_ROWS: usize = 40;

/// What was found on a surface; `total` seconds from the command's begin.
pub fn survey(surface: &Surface, found: &Surveyed, total: f64, color: bool) -> String {
    let mut out = distributions(&[("value", found.value), ("gradient norm", found.gradient_norm)]).text(color);
    if found.nonfinite > 0 {
        out += &format!(
            "{} of {} points have a value or gradient that is infinite or not a number; they are left out\n",
            count(found.nonfinite),
            count(found.samples),
        );
    }
    out.push('\n');
    if let Some(flat) = found.flat {
        let [lo, hi] = flat.interval.map(|share| number(100.0 * share, 4));
        let share = if flat.count == 0 { "0 %".to_owned() } else { percent(flat.fraction) };
        out += &format!(
            "flat: {share} of the points (95 % interval {lo} to {hi} %), where the slope across the box comes to less than {} of the range of values\n",
            number(FLAT, 3),
        );
    }
    out += &found.walks.as_ref().map_or(String::new(), walks);
    if let Some(curvature) = &found.curvature {
        out += &curvature_text(curvature, surface.dim(), color);
    }
    if let Some(ends) = &found.ends {
        out += &format!("\nends of the Hessians' spectra at {} points, by Lanczos:\n", count(ends.points as u64));
        let both = [("smallest eigenvalue", ends.smallest), ("largest eigenvalue", ends.largest)];
        out += &distributions(&both).text(color);
    }
    out += &format!("\n{}\n", conclusion(found, surface.dim()));
    out + &format!("{} in all\n", seconds(total))
}

/// Quantiles side by side.
fn distributions(rows: &[(&str, Option<Quantiles>)]) -> Table {
    let names = ["min", "5 %", "25 %", "median", "75 %", "95 %", "max", "mean"];
    let columns: Vec<(&str, Align)> =
        std::iter::once(("", Align::Left)).chain(names.map(|name| (name, Align::Right))).collect();
    let mut table = Table::new(&columns);
    for (name, quantiles) in rows {
        let numbers = match quantiles {
            Some(q) => [q.min, q.q05, q.q25, q.q50, q.q75, q.q95, q.max, q.mean].map(|v| number(v, 5)).to_vec(),
            None => vec!["-".to_owned(); 8],
        };
        table.row(std::iter::once((*name).to_owned()).chain(numbers));
    }
    table
}

fn walks(walks: &Walks) -> String {
    let s = walks.settings;
    let how = format!(
        "{} random walks of {} steps of {} of each side",
        count(s.count as u64),
        count(s.length as u64 - 1),
        percent(s.step)
    );
    if walks.autocorrelation.is_empty() {
        return format!("{how}: values are constant, or none is finite\n");
    }
    let first = number(walks.autocorrelation[1], 4);
    let length = match walks.correlation_length {
        Some(length) => format!("correlation length {} steps", number(length, 3)),
        None => "no correlation length".to_owned(),
    };
    let decay = match walks.decay {
        Some(decay) => format!("down to 1/e after {} steps", number(decay, 3)),
        None => format!("not down to 1/e within {} steps", s.lags),
    };
    format!("{how}: correlation {first} from step to step, {length}; {decay}\n")
}

fn curvature_text(c: &Curvature, dim: u32, color: bool) -> String {
    let mut out = format!("\nHessians at {} points:\n", count(c.points as u64));
    if c.points == 0 {
        return out + &format!("none is finite, of {}\n", count(c.nonfinite as u64));
    }
    let columns = [
        ("value", Align::Left),
        ("points", Align::Right),
        ("negative eigenvalues", Align::Right),
        ("share", Align::Right),
    ];
    let mut table = Table::new(&columns);
    for d in &c.deciles {
        table.row([
            format!("{} to {}", number(d.lo, 4), number(d.hi, 4)),
            count(d.count as u64),
            format!("{} of {dim}", number(d.index, 3)),
            if d.fraction == 0.0 { "0 %".to_owned() } else { percent(d.fraction) },
        ]);
    }
    out += &table.text(color);
    out.push('\n');
    out += &distributions(&[("smallest eigenvalue", c.smallest), ("largest eigenvalue", c.largest)]).text(color);
    if let Some(r) = c.correlation {
        out += &format!("value and number of negative eigenvalues correlate at {}\n", number(r, 3));
    }
    let odd = [
        (c.degenerate, "have an eigenvalue that is 0"),
        (c.nonfinite, "have a Hessian that is not finite and are left out"),
    ];
    for (points, what) in odd.into_iter().filter(|(points, _)| *points > 0) {
        out += &format!("{} points {what}\n", count(points as u64));
    }
    out
}

/// One line that says what the surface is like.
fn conclusion(found: &Surveyed, dim: u32) -> String {
    if found.value.is_none() {
        return "No point has a finite value: the surface is not defined in this box.".to_owned();
    }
    let length = match found.walks.as_ref().and_then(|w| w.correlation_length.map(|l| (l, w.settings.step))) {
        Some((length, step)) => format!("Values stay alike over {} steps of {}", number(length, 3), percent(step)),
        None => "Values along walks have no correlation length".to_owned(),
    };
    let bent = found.curvature.as_ref().filter(|c| c.points > 0).map(|c| {
        let none = c.index[0] as f64 / c.points as f64;
        let some = 1.0 - none - c.index[dim as usize] as f64 / c.points as f64;
        format!(
            "; no direction bends down at {} of the points, some but not all at {}",
            share(none),
            share(some.max(0.0))
        )
    });
    format!("{length}{}.", bent.unwrap_or_default())
}

fn share(share: f64) -> String {
    if share < 1e-12 { "0 %".to_owned() } else { percent(share) }
}

/// Features with their names; one that the sample does not define is a dash.
pub fn features(points: usize, features: &[(String, f64)], color: bool) -> String {
    let mut table = Table::new(&[("feature", Align::Left), ("value", Align::Right)]);
    for (name, value) in features {
        table.row([name.clone(), if value.is_nan() { "-".to_owned() } else { number(*value, 6) }]);
    }
    let undefined = features.iter().filter(|f| f.1.is_nan()).count();
    let mut out = format!("landscape features of {} points:\n{}", count(points as u64), table.text(color));
    if undefined > 0 {
        out += &format!(
            "{undefined} of them are not defined for this sample: too few points, or constant values or coordinates\n"
        );
    }
    out
}

/// What random matrices told.
pub fn spectra(found: &goe::Spectra, total: f64, verbose: bool, color: bool) -> String {
    let n = found.ensemble.dim;
    let (exact, naive) = (goe::exact_law(n), goe::naive_law(n));
    let columns = [
        ("negative eigenvalues", Align::Right),
        ("matrices", Align::Right),
        ("share", Align::Right),
        ("95 % interval", Align::Left),
        ("exact", Align::Right),
        ("coins", Align::Right),
    ];
    let mut table = Table::new(&columns);
    let told = |k: &usize| verbose || n < MOST_ROWS || found.index[*k] > 0 || *k == 0;
    for k in (0..=n).filter(told) {
        let [lo, hi] = wilson(found.index[k], found.samples).map(|p| number(p, 4));
        table.row([
            k.to_string(),
            count(found.index[k]),
            number(found.index[k] as f64 / found.samples as f64, 5),
            format!("{lo} to {hi}"),
            exact.as_ref().map_or(String::new(), |law| number(law[k], 6)),
            number(naive[k], 6),
        ]);
    }
    let mut out = table.text(color);
    out.push('\n');
    let ends = [("smallest eigenvalue", Some(found.smallest)), ("largest eigenvalue", Some(found.largest))];
    out += &distributions(&ends).text(color);
    let [lo, hi] = wilson(found.index[0], found.samples).map(|p| number(p, 4));
    out += &format!(
        "\nAll {n} eigenvalues are positive with probability {} (95 % interval {lo} to {hi})",
        number(found.index[0] as f64 / found.samples as f64, 5),
    );
    out += &match &exact {
        Some(law) => {
            let ratio = naive[0] / law[0];
            let coins = if n == 1 { String::new() } else { format!(", {} times too many", number(ratio, 3)) };
            format!("; exactly {}. Coins would say {}{coins}.\n", number(law[0], 6), number(naive[0], 6))
        }
        None => format!(
            "; no exact value is known here beyond N = {}, and ln P is about −(ln 3)/4·N² = {}. Coins would say {}.\n",
            goe::MOST_EXACT,
            number(-0.25 * 3f64.ln() * (n * n) as f64, 4),
            number(naive[0], 6),
        ),
    };
    out + &format!("{} in all\n", seconds(total))
}
