//! The result files of a run, opened before the work and whole or absent afterwards.

use super::{Failure, interrupt};
use catchment::report::picture::{Picture, PictureFormat};
use catchment::report::{Cells, Format, Layout, OutputFile, RowWriter, write_table};
use catchment::survey::Piece;
use catchment::{Event, Plan};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file that is open and empty.
pub struct Opened {
    path: PathBuf,
    format: Format,
    file: OutputFile,
}

/// A file that takes rows.
pub struct Sink {
    path: PathBuf,
    writer: RowWriter,
}

/// Opens a result file of either form.
pub fn open(path: &Path, force: bool) -> Result<Opened, Failure> {
    let format = form(path)?;
    Ok(Opened { path: path.to_owned(), format, file: create(path, force)? })
}

/// The form of a result file, by its name.
fn form(path: &Path) -> Result<Format, Failure> {
    let forms = if cfg!(feature = "parquet") { ".csv or .parquet" } else { ".csv" };
    let format = Format::of(path).filter(|&f| f == Format::Csv || cfg!(feature = "parquet"));
    format.ok_or_else(|| Failure::OutputForm { path: path.to_owned(), forms })
}

/// Opens a file; a second Ctrl-C will know of it.
pub fn create(path: &Path, force: bool) -> Result<OutputFile, Failure> {
    let file = OutputFile::create(path, force).map_err(|error| Failure::output(path, error))?;
    if let Some(partial) = file.partial() {
        interrupt::unfinished(partial);
    }
    Ok(file)
}

impl Opened {
    /// Writes the heading.
    pub fn begin(self, layout: Layout, record: &str) -> Result<Sink, Failure> {
        let Opened { path, format, file } = self;
        let writer = RowWriter::new(file, format, layout, record).map_err(|error| Failure::output(&path, error))?;
        Ok(Sink { path, writer })
    }

    /// Writes whole columns and completes the file.
    pub fn write(self, columns: &[(String, Cells)], record: &str) -> Result<(), Failure> {
        let Opened { path, format, file } = self;
        write_table(file, format, columns, record).map_err(|error| Failure::output(&path, error))
    }
}

impl Sink {
    /// Writes points of a survey.
    pub fn samples(&mut self, piece: &Piece) -> Result<(), Failure> {
        self.writer.samples(piece).map_err(|error| Failure::output(&self.path, error))
    }

    /// Completes the file.
    pub fn finish(self) -> Result<(), Failure> {
        self.writer.finish().map_err(|error| Failure::output(&self.path, error))
    }
}

/// What a run writes.
#[derive(Default)]
pub struct Files {
    /// Finished restarts.
    pub results: Option<Sink>,
    /// Points on the way.
    pub trace: Option<Sink>,
}

impl Files {
    /// Writes what belongs to a file.
    pub fn take(&mut self, event: &Event) -> Result<(), Failure> {
        let written = |sink: &mut Option<Sink>, write: &dyn Fn(&mut RowWriter) -> io::Result<()>| match sink {
            Some(sink) => write(&mut sink.writer).map_err(|error| Failure::output(&sink.path, error)),
            None => Ok(()),
        };
        match event {
            Event::Batch(batch) => written(&mut self.results, &|writer| writer.results(batch)),
            Event::Trace(batch) => written(&mut self.trace, &|writer| writer.trace(batch)),
            Event::Progress(_) => Ok(()),
        }
    }

    /// Completes the files.
    pub fn finish(self) -> Result<(), Failure> {
        for sink in [self.results, self.trace].into_iter().flatten() {
            sink.writer.finish().map_err(|error| Failure::output(&sink.path, error))?;
        }
        Ok(())
    }
}

/// Where results are from: kept in a Parquet file's metadata.
pub fn record(plan: &Plan, device: &catchment::DeviceInfo) -> String {
    let optimizers: Vec<&str> = plan.configurations().iter().map(|c| c.text.as_str()).collect();
    serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "surface": plan.surface().label(),
        "dim": plan.surface().dim(),
        "seed": plan.seed(),
        "first": plan.first(),
        "restarts": plan.restarts(),
        "found": plan.quota().found,
        "budget": plan.quota().budget,
        "steps": plan.steps(),
        "starts": plan.starts().to_string(),
        "precision": plan.precision().name(),
        "device": { "kind": device.kind, "name": device.name, "backend": device.backend, "driver": device.driver },
        "optimizers": optimizers,
    })
    .to_string()
}

/// A picture's file, open before the work.
pub struct Plot {
    path: PathBuf,
    file: OutputFile,
    format: PictureFormat,
}

impl Plot {
    /// Opens it; the form is the name's.
    pub fn open(path: &Path, force: bool) -> Result<Plot, Failure> {
        let format = PictureFormat::of(path);
        let format = format.ok_or_else(|| Failure::OutputForm { path: path.to_owned(), forms: ".png or .svg" })?;
        Ok(Plot { path: path.to_owned(), file: create(path, force)?, format })
    }

    /// Draws and completes it.
    pub fn write(mut self, picture: &Picture) -> Result<(), Failure> {
        let bytes = picture.bytes(self.format).map_err(std::io::Error::other);
        let written = bytes.and_then(|bytes| self.file.write_all(&bytes));
        written.and_then(|()| self.file.finish()).map_err(|error| Failure::output(&self.path, error))
    }
}
