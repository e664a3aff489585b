//! `catchment show`: all of one surface or optimizer, or the shader that is generated for both.

use super::args::{Count, named};
use super::{Failure, Terminal};
use catchment::optimizer::OptimizerText;
use catchment::report::{json, number, point, summary};
use catchment::{Error, Given, Plan, Surface, SurfaceText, catalog};
use clap::Args;

const EXAMPLES: &str = "\
Examples:
  catchment show rosenbrock -d 3
  catchment show adam
  catchment show my_own.surf
  catchment show rastrigin -d 2 -o 'sgd(lr=0.01)' --wgsl      the shader that runs on a GPU";

/// `show`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ShowArgs {
    /// A surface or an optimizer: a name, a call, or a path to a .surf or .opt file
    name: String,
    /// Print the generated shader of a surface and an optimizer
    #[arg(long)]
    wgsl: bool,
    /// How many dimensions, where the surface leaves that open
    #[arg(short, long, value_name = "DIM")]
    dim: Option<Count>,
    /// The optimizer of the shader
    #[arg(short, long, value_name = "OPTIMIZER", default_value = "adam", requires = "wgsl")]
    optimizer: String,
}

/// What a name stands for.
pub enum Entry {
    Surface(Box<SurfaceText>),
    Optimizer(OptimizerText),
}

impl Entry {
    /// Finds a surface, else an optimizer.
    pub fn find(name: &str) -> Result<Entry, Failure> {
        if name.ends_with(".opt") {
            return Ok(Entry::Optimizer(OptimizerText::named(name)?));
        }
        match SurfaceText::named(name) {
            Ok(surface) => Ok(Entry::Surface(Box::new(surface))),
            Err(Error::UnknownSurface { name, .. }) => match OptimizerText::named(&name) {
                Ok(optimizer) => Ok(Entry::Optimizer(optimizer)),
                Err(Error::UnknownOptimizer { .. }) => {
                    let nearest = catchment::language::nearest(&name, catalog::surfaces().chain(catalog::optimizers()));
                    Err(Failure::UnknownEntry { name, nearest })
                }
                Err(error) => Err(error.into()),
            },
            Err(error) => Err(error.into()),
        }
    }
}

/// Prints what there is to know.
pub fn act(args: &ShowArgs, terminal: &Terminal) -> Result<(), Failure> {
    let dim = args.dim.map(|d| u32::try_from(d.0).unwrap_or(u32::MAX));
    match Entry::find(&args.name)? {
        Entry::Surface(text) => {
            let text = text.with(Given::stand_in());
            let surface = named(&text, dim, terminal)?;
            match args.wgsl {
                true => shader(&surface, &args.optimizer, terminal),
                false => show_surface(&text, &surface, terminal),
            }
        }
        Entry::Optimizer(text) => match args.wgsl {
            true => shader(&Surface::named("sphere", Some(dim.unwrap_or(2)))?, &rule(&text), terminal),
            false => show_optimizer(&text, terminal),
        },
    }
}

/// A chain that runs an optimizer: itself, or a transform before plain descent.
pub fn rule(text: &OptimizerText) -> String {
    // A file's own name, where it is not from the catalog, is its path.
    let name =
        if catalog::optimizer_text(text.name()).is_ok_and(|c| c.1 == text.text()) { text.name() } else { text.file() };
    if text.is_rule() { name.to_owned() } else { format!("{name} | sgd") }
}

fn shader(surface: &Surface, optimizer: &str, terminal: &Terminal) -> Result<(), Failure> {
    let plan = Plan::new(surface.clone()).optimizer(optimizer).resolve()?;
    let shader = catchment::wgsl(&plan)?;
    match terminal.json {
        true => {
            terminal.document(&serde_json::json!({ "name": surface.label(), "optimizer": optimizer, "wgsl": shader }))
        }
        false => terminal.print(&shader),
    }
}

fn show_surface(text: &SurfaceText, surface: &Surface, terminal: &Terminal) -> Result<(), Failure> {
    if terminal.json {
        let minima: Vec<_> =
            surface.minima().iter().map(|m| serde_json::json!({ "value": m.value, "x": m.x })).collect();
        return terminal.document(&serde_json::json!({
            "name": surface.label(),
            "kind": "surface",
            "summary": text.comments().first(),
            "dim": surface.dim(),
            "domain": { "lo": surface.domain().lo, "hi": surface.domain().hi, "log": surface.domain().log },
            "options": json::Entries(surface.options().to_vec()),
            "minima": minima,
            "source": text.text(),
        }));
    }
    let mut out = format!("{}\n", summary::surface(surface));
    if !surface.options().is_empty() {
        let options: Vec<String> = surface.options().iter().map(|(n, v)| format!("{n} = {}", number(*v, 6))).collect();
        out += &format!("options {}\n", options.join(", "));
    }
    let data = text.data()?;
    if !data.is_empty() {
        let name = |(name, width): (String, Option<u32>)| width.map_or(name.clone(), |w| format!("{name}[{w}]"));
        out += &format!(
            "data {}, from the columns of a table (--data FILE)\n",
            data.into_iter().map(name).collect::<Vec<_>>().join(", ")
        );
    }
    for minimum in surface.minima() {
        out += &format!("minimum {} at x = {}\n", number(minimum.value, 9), point(&minimum.x, 9, 8));
    }
    terminal.print(&format!("{out}\n{}\n", text.text().trim_end()))
}

fn show_optimizer(text: &OptimizerText, terminal: &Terminal) -> Result<(), Failure> {
    let kind = if text.is_rule() { "update rule" } else { "gradient transform" };
    let hyper: Vec<String> = text.hyper().into_iter().map(|(name, default)| format!("{name} = {default}")).collect();
    if terminal.json {
        let hyper = text.hyper().into_iter().map(|(name, default)| (name, json::NumberOrText::read(&default)));
        return terminal.document(&serde_json::json!({
            "name": text.name(),
            "kind": if text.is_rule() { "rule" } else { "transform" },
            "summary": text.comments().first(),
            "hyper": json::Entries(hyper.collect()),
            "state": text.states(),
            "source": text.text(),
        }));
    }
    let mut out = format!("{}: {kind}\n", text.name());
    if !hyper.is_empty() {
        out += &format!("hyperparameters {}\n", hyper.join(", "));
    }
    if !text.states().is_empty() {
        out += &format!("state {}, one for each coordinate\n", text.states().join(", "));
    }
    terminal.print(&format!("{out}\n{}\n", text.text().trim_end()))
}
