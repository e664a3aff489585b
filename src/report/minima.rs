//! Critical points in words and as columns: what they are, how often they were reached, and what was missed.

use super::number::{count, number, percent, point, seconds};
use super::table::{Align, Table};
use super::table_file::Cells;
use crate::Plan;
use crate::analysis::{Audit, Coverage, CriticalPoint, Escaped, Kind, Minima, Reached, StationaryPoints};

/// Points that are listed at most.
const MOST: usize = 24;
/// Configurations whose shares have columns of their own, at most.
const MOST_COLUMNS: usize = 4;

/// What a point is, in a word or two.
fn kind(point: &CriticalPoint) -> String {
    let word = match (point.kind, point.index) {
        (Kind::Saddle, Some(index)) => format!("saddle, index {index}"),
        (Kind::GradientFlat, _) => "no critical point".to_owned(),
        (Kind::Minimum, _) if point.kink => "minimum, a kink".to_owned(),
        (kind, _) => kind.name().to_owned(),
    };
    match (point.inside, point.at_bounds) {
        (false, _) => word + ", outside",
        (true, 0) => word,
        (true, _) => word + ", at a bound",
    }
}

/// The table of points, the lowest first; `names` are the configurations'.
pub fn points(points: &[Reached], names: &[String], color: bool) -> String {
    let several = names.len() > 1 && names.len() <= MOST_COLUMNS;
    let mut columns = vec![("kind", Align::Left), ("value", Align::Right), ("hits", Align::Right)];
    match several {
        true => columns.extend(names.iter().map(|name| (name.as_str(), Align::Right))),
        false => columns.extend([("share", Align::Right), ("95 % interval", Align::Right)]),
    }
    columns.extend([("eigenvalues", Align::Left), ("x", Align::Left)]);
    let mut table = Table::new(&columns);
    let totals: Vec<u64> = (0..names.len()).map(|k| points.iter().map(|p| p.hits_by[k]).sum()).collect();
    for reached in points.iter().take(MOST) {
        let p = &reached.point;
        let mut cells = vec![kind(p), number(p.value, 8), count(reached.hits)];
        if several {
            let share = |(hits, total): (&u64, &u64)| percent(*hits as f64 / (*total).max(1) as f64);
            cells.extend(reached.hits_by.iter().zip(&totals).map(share));
        } else {
            let [lo, hi] = reached.interval;
            cells.push(percent(reached.fraction));
            cells.push(format!("{} to {}", percent(lo).trim_end_matches(" %"), percent(hi)));
        }
        let ends = match p.eigenvalues[..] {
            [] => String::new(),
            [one] => number(one, 4),
            [lo, .., hi] => format!("{} to {}", number(lo, 4), number(hi, 4)),
        };
        cells.extend([ends, point(&p.x, 8, 6)]);
        table.row(cells);
    }
    let mut text = table.text(color);
    if points.len() > MOST {
        let left = &points[MOST..];
        let hits: u64 = left.iter().map(|p| p.hits).sum();
        text +=
            &format!("… and {} more, with {} hits: --json and --out have all\n", count(left.len() as u64), count(hits));
    }
    text
}

/// Counts of kinds in words: `4 minima, 4 saddles and 1 maximum`.
pub fn kinds<'a>(points: impl Iterator<Item = &'a CriticalPoint>) -> String {
    let mut counts = [0u64; 5];
    for point in points {
        counts[point.kind as usize] += 1;
    }
    let words = [
        ("minimum", "minima"),
        ("saddle", "saddles"),
        ("maximum", "maxima"),
        ("degenerate point", "degenerate points"),
        ("place that is no critical point", "places that are no critical points"),
    ];
    let parts: Vec<String> = counts
        .iter()
        .zip(words)
        .filter(|(n, _)| **n > 0)
        .map(|(&n, (one, many))| format!("{} {}", count(n), if n == 1 { one } else { many }))
        .collect();
    match &parts[..] {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}

/// What the coverage says.
pub fn coverage(coverage: &Coverage) -> String {
    let Coverage { observed, unseen_mass, unseen_interval: [_, most], chao1, interval: [lo, hi], .. } = *coverage;
    if observed == 0 {
        return "No restart ended at a critical point.\n".to_owned();
    }
    let whole = |v: f64| if v.is_finite() { count(v.round() as u64) } else { "no end".to_owned() };
    let mut text = format!(
        "Unseen: {} of all restarts would end somewhere new (Good-Turing; at most {} with 95 % confidence).\n",
        percent(unseen_mass),
        percent(most)
    );
    text += &match chao1.round() as u64 {
        n if n == observed && hi.round() as u64 == observed => {
            format!("There are {} such points, as far as the hits tell (Chao1", count(n))
        }
        n => format!("There are about {} such points (Chao1; 95 % interval {} to {}", count(n), whole(lo), whole(hi)),
    };
    text += &match coverage.boender_rinnooy_kan {
        Some(n) => format!("; Boender and Rinnooy Kan {}).\n", number(n, 4)),
        None => ").\n".to_owned(),
    };
    text
}

/// What the audit says.
pub fn audit(audit: &Audit) -> String {
    let most = percent(audit.interval[1]);
    match audit.flipped {
        0 => format!(
            "Run again in f64, all of {} restarts ended at the same point (at most {most} do not).\n",
            count(audit.checked)
        ),
        n => format!(
            "Run again in f64, {} of {} restarts ended at another point: {} ({} to {most}).\n",
            count(n),
            count(audit.checked),
            percent(n as f64 / audit.checked as f64),
            percent(audit.interval[0]).trim_end_matches(" %"),
        ),
    }
}

/// All of a search.
pub fn minima(plan: &Plan, minima: &Minima, total: f64, color: bool) -> String {
    let names: Vec<String> = plan.configurations().iter().map(|c| c.text.clone()).collect();
    let mut text = points(&minima.points, &names, color);
    text.push('\n');
    let inside = || minima.points.iter().map(|p| &p.point).filter(|p| p.inside);
    let outside = minima.points.iter().filter(|p| !p.point.inside).count() as u64;
    let beyond = if outside > 0 { format!(", and {} outside", count(outside)) } else { String::new() };
    text += &format!(
        "{} restarts ended at {} in the box{beyond}.\n",
        count(minima.restarts - minima.lost),
        kinds(inside())
    );
    if minima.lost > 0 {
        text += &format!("{} restarts blew up or ran downhill without end.\n", count(minima.lost));
    }
    text += &coverage(&minima.coverage);
    text += &minima.audit.as_ref().map_or(String::new(), audit);
    let [all, compile, run, polish] = [total, minima.timing.compile, minima.timing.run, minima.polish].map(seconds);
    text += &format!("{all} in all: {compile} to compile, {run} to descend, {polish} to make exact and tell apart\n");
    text
}

/// Critical points of every index.
pub fn stationary(found: &StationaryPoints, color: bool) -> String {
    let mut text = points(&found.points, &[String::new()], color);
    let inside = found.points.iter().map(|p| &p.point).filter(|p| p.inside && p.kind.is_critical());
    let outside = found.points.iter().filter(|p| !p.point.inside && p.point.kind.is_critical()).count() as u64;
    let beyond = if outside > 0 { format!(", and {} critical points outside", count(outside)) } else { String::new() };
    text += &format!("\n{} starts found {} in the box{beyond}.\n", count(found.starts), kinds(inside));
    if found.flat > 0 {
        text += &format!(
            "{} starts ended where the gradient is small and does not vanish: no critical points.\n",
            count(found.flat)
        );
    }
    text + &coverage(&found.coverage)
}

/// How long optimizers took to leave saddles.
pub fn escapes(all: &[(CriticalPoint, Vec<Escaped>)], steps: u64, color: bool) -> String {
    let columns = [
        ("saddle", Align::Left),
        ("lowest eigenvalue", Align::Right),
        ("optimizer", Align::Left),
        ("left", Align::Right),
        ("95 % interval", Align::Right),
        ("25 % by step", Align::Right),
        ("50 %", Align::Right),
        ("95 %", Align::Right),
    ];
    let mut table = Table::new(&columns);
    for (saddle, optimizers) in all {
        for e in optimizers {
            let [lo, hi] = e.interval;
            let by = |share: f64| e.quantile(share).map_or("-".to_owned(), |steps| count(u64::from(steps)));
            table.row([
                point(&saddle.x, 6, 4),
                number(saddle.eigenvalues.first().copied().unwrap_or(f64::NAN), 4),
                e.optimizer.clone(),
                percent(e.left as f64 / e.restarts.max(1) as f64),
                format!("{} to {}", percent(lo).trim_end_matches(" %"), percent(hi)),
                by(0.25),
                by(0.5),
                by(0.95),
            ]);
        }
    }
    format!("saddles left within {} steps:\n{}", count(steps), table.text(color))
}

/// Points as columns of a file.
pub fn columns(points: &[Reached]) -> Vec<(String, Cells)> {
    let dim = points.first().map_or(0, |p| p.point.x.len());
    let spectrum = points.iter().map(|p| p.point.eigenvalues.len()).max().unwrap_or(0);
    let numbers = |of: &dyn Fn(&Reached) -> f64| Cells::Numbers(points.iter().map(of).collect());
    let whole = |of: &dyn Fn(&Reached) -> u64| Cells::Whole(points.iter().map(of).collect());
    let mut out = vec![
        ("kind".to_owned(), Cells::Text(points.iter().map(|p| p.point.kind.name().to_owned()).collect())),
        ("index".to_owned(), numbers(&|p| p.point.index.map_or(f64::NAN, |i| i as f64))),
        ("value".to_owned(), numbers(&|p| p.point.value)),
        ("gradient_norm".to_owned(), numbers(&|p| p.point.gradient_norm)),
        ("hits".to_owned(), whole(&|p| p.hits)),
        ("fraction".to_owned(), numbers(&|p| p.fraction)),
        ("fraction_lo".to_owned(), numbers(&|p| p.interval[0])),
        ("fraction_hi".to_owned(), numbers(&|p| p.interval[1])),
        ("first_restart".to_owned(), whole(&|p| p.first_restart)),
        ("inside".to_owned(), whole(&|p| u64::from(p.point.inside))),
        ("at_bounds".to_owned(), whole(&|p| p.point.at_bounds as u64)),
        ("kink".to_owned(), whole(&|p| u64::from(p.point.kink))),
    ];
    let configurations = points.first().map_or(0, |p| p.hits_by.len());
    if configurations > 1 {
        out.extend((0..configurations).map(|k| (format!("hits_{k}"), whole(&|p| p.hits_by[k]))));
    }
    out.extend((0..dim).map(|i| (format!("x{i}"), numbers(&|p| p.point.x[i]))));
    let eigenvalue = |p: &Reached, k: usize| p.point.eigenvalues.get(k).copied().unwrap_or(f64::NAN);
    out.extend((0..spectrum).map(|k| (format!("eigenvalue{k}"), numbers(&|p| eigenvalue(p, k)))));
    out
}
