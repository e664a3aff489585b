//! `catchment list`: the surfaces, optimizers or devices that there are.

use super::{Failure, Terminal};
use catchment::catalog;
use catchment::optimizer::OptimizerText;
use catchment::report::json::{DeviceEntry, Entries, NumberOrText, OptimizerEntry, SurfaceEntry};
use catchment::report::{Align, Table, count, number};
use catchment::{DeviceLimits, Error, Surface, SurfaceText};
use clap::{Args, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  catchment list surfaces
  catchment list optimizers
  catchment list devices
  catchment list surfaces --json | jq -r '.[] | select(.dim == null) | .name'

'catchment show NAME' tells all of one surface or optimizer.";

/// `list`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ListArgs {
    /// What to list
    what: What,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    Surfaces,
    Optimizers,
    Devices,
}

/// Prints the list.
pub fn act(args: &ListArgs, terminal: &Terminal) -> Result<(), Failure> {
    match args.what {
        What::Surfaces => surfaces(terminal),
        What::Optimizers => optimizers(terminal),
        What::Devices => devices(terminal),
    }
}

fn surfaces(terminal: &Terminal) -> Result<(), Failure> {
    let entries: Vec<SurfaceEntry> = catalog::surfaces().map(surface).collect::<Result<_, Error>>()?;
    if terminal.json {
        return terminal.document(&entries);
    }
    let columns = [("surface", Align::Left), ("dim", Align::Left), ("domain", Align::Left), ("minimum", Align::Right)];
    let mut table = Table::new(&[&columns[..], &[("", Align::Left)]].concat());
    for entry in &entries {
        let dim = match (entry.dim, entry.smallest_dim) {
            (Some(dim), _) => dim.to_string(),
            (None, 1) => "n".to_owned(),
            (None, least) => format!("n ≥ {least}"),
        };
        let minimum = entry.minimum.as_ref().map_or(String::new(), short);
        table.row([entry.name.clone(), dim, entry.domain.clone(), minimum, entry.summary.clone()]);
    }
    terminal.print(&table.text(terminal.color()))?;
    terminal.print(&format!(
        "\n{} surfaces; a dimension n is set with -d. Over a table: 'mlp(layers=[2,16,1], activation=tanh, loss=logistic)'\n",
        entries.len()
    ))
}

fn surface(name: &str) -> Result<SurfaceEntry, Error> {
    let text = SurfaceText::named(name)?;
    let options = text.options().into_iter().map(|(name, default)| (name, NumberOrText::read(&default)));
    Ok(SurfaceEntry {
        name: name.to_owned(),
        summary: text.comments().first().cloned().unwrap_or_default(),
        dim: text.dim(),
        smallest_dim: text.smallest_dim(),
        domain: text.domain_text(),
        minimum: minimum(&text)?,
        options: Entries(options.collect()),
    })
}

/// The known minimum: a number where it is the same in every dimension, else its formula.
pub fn minimum(text: &SurfaceText) -> Result<Option<NumberOrText>, Error> {
    let Some(formula) = text.minimum_text() else { return Ok(None) };
    let value = |surface: Surface| surface.minima().first().map(|m| m.value);
    let values = match text.dim() {
        Some(dim) => [value(text.at(Some(dim))?); 2],
        None => {
            // Twice the least dimension is a multiple of whatever the dimension must be a multiple of.
            let least = text.smallest_dim();
            [value(text.at(Some(least))?), value(text.at(Some(2 * least))?)]
        }
    };
    Ok(Some(match values {
        [Some(a), Some(b)] if a == b => NumberOrText::Number(a),
        _ => NumberOrText::Text(formula.to_owned()),
    }))
}

fn short(value: &NumberOrText) -> String {
    match value {
        NumberOrText::Number(v) => number(*v, 6),
        NumberOrText::Text(text) => text.clone(),
    }
}

fn optimizers(terminal: &Terminal) -> Result<(), Failure> {
    let entries: Vec<OptimizerEntry> = catalog::optimizers().map(optimizer).collect::<Result<_, Error>>()?;
    if terminal.json {
        return terminal.document(&entries);
    }
    let mut rest = String::new();
    for (kind, title) in
        [("rule", "update rules"), ("transform", "gradient transforms, for a chain: 'clip_norm(max=1) | adam'")]
    {
        let mut table = Table::new(&[("name", Align::Left), ("hyperparameters", Align::Left), ("", Align::Left)]);
        for entry in entries.iter().filter(|e| e.kind == kind) {
            let hyper: Vec<String> = entry.hyper.0.iter().map(|(name, v)| format!("{name}={}", short(v))).collect();
            table.row([entry.name.clone(), hyper.join(", "), entry.summary.clone()]);
        }
        rest += &format!("{}{title}\n{}", if rest.is_empty() { "" } else { "\n" }, table.text(terminal.color()));
    }
    terminal.print(&rest)
}

fn optimizer(name: &str) -> Result<OptimizerEntry, Error> {
    let text = OptimizerText::named(name)?;
    let hyper = text.hyper().into_iter().map(|(name, default)| (name, NumberOrText::read(&default)));
    Ok(OptimizerEntry {
        name: name.to_owned(),
        kind: if text.is_rule() { "rule" } else { "transform" },
        summary: text.comments().first().cloned().unwrap_or_default(),
        hyper: Entries(hyper.collect()),
        state: text.states(),
    })
}

fn devices(terminal: &Terminal) -> Result<(), Failure> {
    let entries: Vec<DeviceEntry> = catchment::devices().iter().map(device).collect();
    if terminal.json {
        return terminal.document(&entries);
    }
    let columns = ["name", "kind", "backend", "driver", "pci"].map(|name| (name, Align::Left));
    let mut table = Table::new(&[&[("index", Align::Right)], &columns[..]].concat());
    for entry in &entries {
        let DeviceEntry { index, name, kind, backend, driver, pci, .. } = entry.clone();
        table.row([index.to_string(), name, kind, backend, driver, pci.unwrap_or_default()]);
    }
    terminal.print(&table.text(terminal.color()))?;
    if terminal.verbose {
        for entry in entries.iter().filter(|e| !e.limits.0.is_empty()) {
            let limits: Vec<String> = entry.limits.0.iter().map(|(name, v)| format!("{name} {}", count(*v))).collect();
            terminal.print(&format!("limits of {}: {}\n", entry.index, limits.join(", ")))?;
        }
    }
    Ok(())
}

fn device(device: &catchment::Device) -> DeviceEntry {
    let DeviceLimits { binding, buffer, workgroups } = device.limits;
    let limits = [("binding_bytes", binding), ("buffer_bytes", buffer), ("workgroups", u64::from(workgroups))];
    DeviceEntry {
        index: device.index,
        name: device.name.clone(),
        kind: device.kind.to_owned(),
        backend: device.backend.clone(),
        driver: device.driver.clone(),
        pci: Some(device.pci.clone()).filter(|pci| !pci.is_empty()),
        limits: Entries(if device.kind == "cpu" {
            Vec::new()
        } else {
            limits.map(|(name, v)| (name.to_owned(), v)).into()
        }),
    }
}
