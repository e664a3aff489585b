//! A result file that is either whole or absent.
//!
//! It is opened before the work, so that a place where nothing can be written is known at once; it grows beside its
//! final name and takes it when it is complete; dropped before that, it leaves nothing behind.
//!
//! ```
//! use catchment::report::{OutputError, OutputFile};
//! use std::io::Write;
//! let path = std::env::temp_dir().join(format!("catchment-doc-{}.csv", std::process::id()));
//! let mut file = OutputFile::create(&path, false)?;
//! file.write_all(b"value\n0\n")?;
//! assert!(!path.exists());
//! file.finish()?;
//! assert_eq!(std::fs::read(&path)?, b"value\n0\n");
//! assert!(matches!(OutputFile::create(&path, false), Err(OutputError::Exists)));
//! std::fs::remove_file(&path)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Why a result file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// It is there already.
    #[error("the file exists")]
    Exists,
    /// The system refuses.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A file under construction.
#[derive(Debug)]
pub struct OutputFile {
    file: BufWriter<File>,
    /// Where it grows and what it will be called; `None` for a device or a pipe, which is written to directly.
    rename: Option<(PathBuf, PathBuf)>,
}

impl OutputFile {
    /// Opens the file; one that exists is replaced at the end where `force` says so.
    ///
    /// # Errors
    /// [`OutputError`].
    pub fn create(path: &Path, force: bool) -> Result<OutputFile, OutputError> {
        match fs::metadata(path) {
            Ok(there) if there.is_dir() => return Err(io::Error::from(io::ErrorKind::IsADirectory).into()),
            Ok(there) if !there.is_file() => {
                let file = BufWriter::new(OpenOptions::new().write(true).open(path)?);
                return Ok(OutputFile { file, rename: None });
            }
            Ok(_) if !force => return Err(OutputError::Exists),
            Ok(there) if there.permissions().readonly() => {
                return Err(io::Error::from(io::ErrorKind::PermissionDenied).into());
            }
            _ => {}
        }
        let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidFilename))?;
        let mut partial = name.to_owned();
        partial.push(format!(".{}.partial", std::process::id()));
        let partial = path.with_file_name(partial);
        let file = BufWriter::new(OpenOptions::new().write(true).create_new(true).open(&partial)?);
        Ok(OutputFile { file, rename: Some((partial, path.to_owned())) })
    }

    /// Where the unfinished file lies, for whoever ends the process without dropping it.
    pub fn partial(&self) -> Option<&Path> {
        self.rename.as_ref().map(|(partial, _)| partial.as_path())
    }

    /// Completes the file and gives it its name.
    ///
    /// # Errors
    /// What the system says; the unfinished file is then removed.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.flush()?;
        if let Some((partial, path)) = &self.rename {
            fs::rename(partial, path)?;
            self.rename = None;
        }
        Ok(())
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if let Some((partial, _)) = &self.rename {
            // Nobody is left to hear of a failure here.
            let _ = fs::remove_file(partial);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_file_leaves_nothing() {
        let folder = std::env::temp_dir().join(format!("catchment-output-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("out.csv");
        let mut file = OutputFile::create(&path, false).unwrap();
        file.write_all(b"half").unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        drop(file);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        assert!(matches!(OutputFile::create(&folder, true), Err(OutputError::Io(_))));
        assert!(matches!(OutputFile::create(&folder.join("no/such/out.csv"), true), Err(OutputError::Io(_))));
        fs::remove_dir(&folder).unwrap();
    }
}
