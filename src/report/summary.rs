//! A run in words: a heading, a table with a row a configuration, where the best one's restarts went, and a conclusion.

use super::number::{count, many, number, percent, point, seconds};
use super::places::{Places, Reached};
use super::table::{Align, Table};
use crate::random::Domain;
use crate::{ConfigurationOutcome, DeviceInfo, Outcome, Plan, Precision, Quota, Status, Surface};

/// Configurations that the table shows at most, unless all are asked for.
const MOST_ROWS: usize = 40;
/// Places that are listed at most.
const MOST_PLACES: usize = 8;
/// Coordinates of a point that are shown at most.
const MOST_COORDINATES: usize = 8;

/// What is about to run, and where.
pub fn heading(plan: &Plan, device: &DeviceInfo, starts: &str) -> String {
    let configurations = match plan.configurations().len() {
        1 => String::new(),
        n => format!(" × {} configurations", count(n as u64)),
    };
    let stopping = plan.stopping();
    let stops = [("gradient norm", stopping.gradient), ("change", stopping.change), ("value", stopping.target)];
    let stops: Vec<String> =
        stops.into_iter().filter_map(|(what, at)| at.map(|at| format!("{what} ≤ {}", number(at, 6)))).collect();
    let stops = if stops.is_empty() { String::new() } else { format!(", stopping at {}", stops.join(" or ")) };
    let first = if plan.first() == 0 { String::new() } else { format!(" from number {}", count(plan.first())) };
    let restarts = match quota(plan.quota(), plan.stopping().target.is_some()) {
        None => format!("{} restarts{first}", count(plan.restarts())),
        Some(quota) => format!("restarts{first} until {quota} (at most {})", count(plan.restarts())),
    };
    format!(
        "{}\n{}{restarts} × {} steps{configurations}{stops}; {starts} starts, seed {}, {}\n{}\n\n",
        surface(plan.surface()),
        rows(plan),
        count(plan.steps()),
        plan.seed(),
        plan.precision().name(),
        self::device(device),
    )
}

/// A quota in words: `10 reach the minimum or 1,000,000 steps are taken`.
fn quota(quota: Quota, target: bool) -> Option<String> {
    let goal = if target { "the target" } else { "the minimum" };
    let found = quota.found.map(|k| format!("{} reach{} {goal}", count(k), if k == 1 { "es" } else { "" }));
    let budget = quota.budget.map(|b| format!("{} step{} taken", count(b), if b == 1 { " is" } else { "s are" }));
    let parts: Vec<String> = found.into_iter().chain(budget).collect();
    (!parts.is_empty()).then(|| parts.join(" or "))
}

/// What a step sees of the surface's table.
fn rows(plan: &Plan) -> String {
    let Some(table) = plan.surface().table() else { return String::new() };
    let all = format!("{} row{}", count(u64::from(table.rows)), if table.rows == 1 { "" } else { "s" });
    match plan.batch() {
        None => format!("all of {all} at each step\n"),
        Some(batch) => {
            let replacement = if batch.replacement { "with" } else { "without" };
            format!("{} of {all} at each step, drawn {replacement} replacement\n", count(u64::from(batch.rows)))
        }
    }
}

/// A surface in one line.
pub fn surface(surface: &Surface) -> String {
    let minimum = match surface.minima().first() {
        Some(minimum) => format!("known minimum {}", number(minimum.value, 6)),
        None => "no known minimum".to_owned(),
    };
    let plural = if surface.dim() == 1 { "" } else { "s" };
    let dim = count(u64::from(surface.dim()));
    format!("{} in {dim} dimension{plural} over {}, {minimum}", clip(surface.label(), 60), domain(surface.domain()))
}

/// A device in one line.
pub fn device(device: &DeviceInfo) -> String {
    let parts = [&device.name, &device.backend, &device.driver].into_iter().map(String::as_str);
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty() && *part != device.kind).collect();
    format!("on the {}: {}", device.kind.to_uppercase(), parts.join(", "))
}

/// A box: one interval where all are the same, else the first few.
pub fn domain(domain: &Domain) -> String {
    let interval = |i: usize| {
        let log = if domain.log[i] { " log" } else { "" };
        format!("[{}, {}]{log}", number(domain.lo[i], 6), number(domain.hi[i], 6))
    };
    let mut all: Vec<String> = (0..domain.dim().min(MOST_COORDINATES)).map(interval).collect();
    let same = |i: usize| (domain.lo[i], domain.hi[i], domain.log[i]) == (domain.lo[0], domain.hi[0], domain.log[0]);
    if (1..domain.dim()).all(same) {
        all.truncate(1);
    } else if domain.dim() > MOST_COORDINATES {
        all.push("…".to_owned());
    }
    all.join(" × ")
}

/// The first line of a text, cut where it is long.
pub fn clip(text: &str, most: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.chars().count() > most || text.lines().nth(1).is_some() {
        true => line.chars().take(most).chain("…".chars()).collect(),
        false => line.to_owned(),
    }
}

/// What came out. `places` has one entry a configuration, or none.
pub fn run(plan: &Plan, outcome: &Outcome, places: Vec<Places>, total: f64, color: bool, verbose: bool) -> String {
    let mut out = table(plan, outcome, verbose).text(color);
    let all = outcome.configurations.len();
    if all > MOST_ROWS && !verbose {
        out += &format!("… and {} more (-v shows all)\n", count((all - MOST_ROWS) as u64));
    }
    if let Some(best) = best_configuration(outcome) {
        let name = &plan.configurations()[best].text;
        let came = &outcome.configurations[best];
        let of = if all == 1 { String::new() } else { format!(" of {name}") };
        out += &format!("\n{}\n", lowest(plan, came, &of));
        let reached = places.into_iter().nth(best).map(|p| (p.rounding(), p.finish()));
        out += &match &reached {
            Some((rounding, reached)) => format!("\n{}", where_to(plan, came, reached, *rounding, &of, color)),
            None => format!("\n{}", quantiles(came, &of, color)),
        };
        if verbose && reached.is_some() {
            out += &format!("\n{}", quantiles(came, &of, color));
        }
        out += &format!("\n{}\n", conclusion(plan, came, reached.as_ref().map(|r| &r.1), name, all));
    }
    out += &met(plan, outcome);
    let timing = outcome.timing;
    out += &format!(
        "{} in all, {} to compile and {} to run: {} coordinate steps a second\n",
        seconds(total),
        seconds(timing.compile),
        seconds(timing.run),
        many(outcome.coordinate_steps_per_second()),
    );
    out
}

/// Whether the quota was met, in one line; nothing where there is none.
fn met(plan: &Plan, outcome: &Outcome) -> String {
    let Some(quota) = quota(plan.quota(), plan.stopping().target.is_some()) else { return String::new() };
    let all = outcome.configurations.len();
    let met = outcome.configurations.iter().filter(|c| c.quota_met == Some(true)).count();
    let restarts = count(outcome.configurations.iter().map(|c| c.restarts).sum());
    match (met, all) {
        (1, 1) => format!("The quota ({quota}) was met by {restarts} restarts.\n"),
        (0, 1) => format!("The quota ({quota}) was not met by {restarts} restarts.\n"),
        _ => {
            format!("The quota ({quota}) was met by {met} of {all} configurations, with {restarts} restarts in all.\n")
        }
    }
}

fn table(plan: &Plan, outcome: &Outcome, verbose: bool) -> Table {
    use Align::{Left, Right};
    let mut columns = vec![("optimizer", Left), ("best", Right), ("median", Right)];
    columns.extend([("success", Right), ("95 % interval", Left)]);
    columns.extend(Status::ALL.map(|s| (s.name(), Right)));
    columns.extend([("mean steps", Right), ("restarts", Right)]);
    let mut table = Table::new(&columns);
    let shown = if verbose { usize::MAX } else { MOST_ROWS };
    for (configuration, came) in plan.configurations().iter().zip(&outcome.configurations).take(shown) {
        let value = |v: Option<f64>| v.map_or("-".to_owned(), |v| number(v, 6));
        let mut row =
            vec![clip(&configuration.text, 70), value(came.value.map(|v| v.min)), value(came.value.map(|v| v.q50))];
        row.push(came.success.map_or(String::new(), |s| percent(s.fraction)));
        row.push(came.success.map_or(String::new(), |s| interval(s.interval)));
        // All steps taken is the usual end, and goes without saying.
        let told =
            |s: Status, n: u64| n > 0 && (s != Status::MaxSteps || outcome.configurations.iter().any(stopped_early));
        row.extend(
            Status::ALL.iter().zip(came.status).map(|(&s, n)| if told(s, n) { count(n) } else { String::new() }),
        );
        row.push(number(came.mean_steps, 4));
        row.push(came.quota_met.map_or(String::new(), |_| count(came.restarts)));
        table.row(row);
    }
    table
}

fn stopped_early(came: &ConfigurationOutcome) -> bool {
    Status::ALL.iter().zip(came.status).any(|(&s, n)| s != Status::MaxSteps && n > 0)
}

fn interval(ends: [f64; 2]) -> String {
    // Four digits: the end near 100 % is what an interval of nearly all is read for.
    let [lo, hi] = ends.map(|share| number(100.0 * share, 4));
    format!("{lo} to {hi} %")
}

/// The configuration to tell more about: the one with most successes, then the lowest median, then the lowest value.
pub fn best_configuration(outcome: &Outcome) -> Option<usize> {
    let rank = |c: &ConfigurationOutcome| {
        let value = c.value.unwrap_or_default();
        (c.success.map_or(0, |s| s.count), value.q50, value.min)
    };
    let better = |a: &ConfigurationOutcome, b: &ConfigurationOutcome| {
        let (a, b) = (rank(a), rank(b));
        a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)).then(b.2.total_cmp(&a.2))
    };
    let all = outcome.configurations.iter().enumerate().filter(|(_, c)| c.value.is_some());
    // Of equals the first.
    all.rev().max_by(|a, b| better(a.1, b.1)).map(|(index, _)| index)
}

fn lowest(plan: &Plan, came: &ConfigurationOutcome, of: &str) -> String {
    let Some(best) = &came.best else { return format!("no restart{of} ended at a finite value") };
    let digits = match plan.precision() {
        Precision::F64 => 17,
        Precision::F32 if best.x.len() > 4 => 6,
        Precision::F32 => 9,
    };
    let at =
        if best.x.is_empty() { String::new() } else { format!(" at x = {}", point(&best.x, digits, MOST_COORDINATES)) };
    format!("lowest value{of}: {}{at}, restart {}", number(best.value, digits), count(best.restart))
}

fn where_to(
    plan: &Plan,
    came: &ConfigurationOutcome,
    reached: &Reached,
    rounding: f64,
    of: &str,
    color: bool,
) -> String {
    use Align::{Left, Right};
    let mut table = Table::new(&[("share", Right), ("restarts", Right), ("value", Right), ("x", Left)]);
    let total = came.restarts;
    let share = |hits: u64| [percent(hits as f64 / total as f64), count(hits)];
    // The last line is for the rest, unless one place is all of it.
    let listed = if reached.places.len() <= MOST_PLACES { MOST_PLACES } else { MOST_PLACES - 1 };
    for place in reached.places.iter().take(listed) {
        let [share, hits] = share(place.hits);
        table.row([
            share,
            hits,
            number(place.value, 5),
            point(&rounded(&place.x, plan.surface().domain(), 0.01 * rounding), 5, MOST_COORDINATES),
        ]);
    }
    let rest = &reached.places[listed.min(reached.places.len())..];
    let others = rest.iter().map(|p| p.hits).sum::<u64>() + reached.elsewhere;
    if others > 0 {
        let [share, hits] = share(others);
        let least = if reached.elsewhere > 0 { "more than " } else { "" };
        table.row([share, hits, String::new(), format!("{least}{} other places", count(rest.len() as u64))]);
    }
    for (status, why) in
        [(Status::Diverged, "beyond all bounds"), (Status::Nonfinite, "where the gradient is not finite")]
    {
        let hits = came.status[status as usize - 1];
        if hits > 0 {
            let [share, hits] = share(hits);
            table.row([share, hits, String::new(), why.to_owned()]);
        }
    }
    format!(
        "where the restarts{of} went (points rounded to {}, the lowest of each):\n{}",
        number(rounding, 3),
        table.text(color)
    )
}

/// Coordinates to a hundredth of what tells places apart: what is finer is where a descent happened to stop.
fn rounded(x: &[f64], domain: &Domain, unit: f64) -> Vec<f64> {
    x.iter().zip(&domain.log).map(|(&v, &log)| if log { v } else { (v / unit).round() * unit }).collect()
}

fn quantiles(came: &ConfigurationOutcome, of: &str, color: bool) -> String {
    let Some(value) = came.value else { return String::new() };
    let columns =
        ["lowest", "5 %", "25 %", "median", "75 %", "95 %", "highest", "mean"].map(|name| (name, Align::Right));
    let mut table = Table::new(&columns);
    let row = [value.min, value.q05, value.q25, value.q50, value.q75, value.q95, value.max, value.mean];
    table.row(row.map(|v| number(v, 5)));
    format!("final values{of}:\n{}", table.text(color))
}

fn conclusion(plan: &Plan, came: &ConfigurationOutcome, reached: Option<&Reached>, name: &str, all: usize) -> String {
    let by = if all == 1 { String::new() } else { format!(" with {name}") };
    let total = count(came.restarts);
    let (Some(value), Some(best)) = (came.value, &came.best) else { return String::new() };
    let Some(success) = came.success else {
        return format!(
            "The lowest of {total} restarts{by} is {}, their median {}; no minimum is known to compare with.",
            number(best.value, 6),
            number(value.q50, 6),
        );
    };
    let minimum = plan.surface().minima().first().map_or(0.0, |m| m.value);
    let rest = match reached {
        _ if success.count == came.restarts => String::new(),
        Some(reached) => {
            let others = reached.places.iter().filter(|p| (p.value - minimum).abs() > success.tolerance);
            let (places, most) = (others.clone().count() as u64, others.max_by_key(|p| p.hits));
            let least = if reached.elsewhere > 0 { "more than " } else { "" };
            most.map_or(String::new(), |most| {
                let often = percent(most.hits as f64 / came.restarts as f64);
                let plural = if places == 1 { "" } else { "s" };
                format!(
                    "\nThe rest ended in {least}{} other place{plural}, most often at value {} ({often}).",
                    count(places),
                    number(most.value, 5)
                )
            })
        }
        None => format!("\nTheir median value is {}.", number(value.q50, 5)),
    };
    format!(
        "{} of {total} restarts{by} reached the global minimum {} (95 % interval {}).{rest}",
        percent(success.fraction),
        number(minimum, 6),
        interval(success.interval),
    )
}

/// What to do about restarts that did not end well.
pub fn advice(plan: &Plan, outcome: &Outcome) -> Vec<String> {
    let total = outcome.configurations.iter().map(|c| c.restarts).sum::<u64>().max(1) as f64;
    let share = |status: Status| {
        outcome.configurations.iter().map(|c| c.status[status as usize - 1]).sum::<u64>() as f64 / total
    };
    let mut out = Vec::new();
    let (diverged, nonfinite, unfinished) =
        (share(Status::Diverged), share(Status::Nonfinite), share(Status::MaxSteps));
    if diverged > 0.01 {
        out.push(format!(
            "{} of the restarts diverged; try a smaller learning rate, `clip_norm(max=1) | …` or --bounds clip",
            percent(diverged)
        ));
    }
    if nonfinite > 0.01 {
        out.push(format!(
            "{} of the restarts came where the surface has no finite gradient; --bounds clip keeps them in the domain",
            percent(nonfinite)
        ));
    }
    out.extend(unmet(plan, outcome));
    let stopping = plan.stopping();
    if unfinished > 0.5 && (stopping.gradient.is_some() || stopping.change.is_some()) {
        out.push(format!(
            "{} of the restarts ran out of steps; try more --steps or a larger learning rate",
            percent(unfinished)
        ));
    }
    out
}

/// That restarts ran out before a quota was met.
pub fn unmet(plan: &Plan, outcome: &Outcome) -> Option<String> {
    let unmet = outcome.configurations.iter().filter(|c| c.quota_met == Some(false)).count();
    let of = match outcome.configurations.len() {
        1 => String::new(),
        all => format!(" of {unmet} of {all} configurations"),
    };
    let restarts = plan.restarts();
    (unmet > 0).then(|| format!("-n {restarts} ran out before the quota{of} was met; allow more restarts"))
}
