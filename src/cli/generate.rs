//! Shell completions and the man page, from the definition that the parser uses.

use super::{Cli, Failure, Terminal};
use clap::CommandFactory;

pub const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  catchment completions bash > ~/.local/share/bash-completion/completions/catchment
  catchment completions fish > ~/.config/fish/completions/catchment.fish";

pub const MAN_EXAMPLES: &str = "\
Examples:
  catchment man > ~/.local/share/man/man1/catchment.1
  catchment man | man -l -";

/// Prints completions.
pub fn completions(shell: clap_complete::Shell, terminal: &Terminal) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "catchment", &mut text);
    terminal.print(&String::from_utf8_lossy(&text))
}

/// Prints the man page: the command's, then one part for each of its commands.
pub fn man(terminal: &Terminal) -> Result<(), Failure> {
    let mut command = Cli::command();
    command.build();
    let mut text = Vec::new();
    let rendered = clap_mangen::Man::new(command.clone()).render(&mut text).and_then(|()| {
        command.get_subcommands().filter(|c| c.get_name() != "help").try_for_each(|sub| {
            let man = clap_mangen::Man::new(sub.clone());
            text.extend_from_slice(format!(".SH {}\n", sub.get_name().to_uppercase()).as_bytes());
            man.render_description_section(&mut text)?;
            man.render_synopsis_section(&mut text)?;
            man.render_options_section(&mut text)?;
            man.render_extra_section(&mut text)
        })
    });
    rendered.map_err(Failure::Stdout)?;
    terminal.print(&String::from_utf8_lossy(&text))
}
