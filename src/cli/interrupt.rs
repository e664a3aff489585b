//! Ctrl-C: the first asks the work to stop, which then tidies up; the second ends the process at once.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);
static PARTIAL: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Watches for Ctrl-C and for requests to terminate.
pub fn watch() {
    // Where no handler can be set, Ctrl-C ends the process as it always did.
    let _ = ctrlc::set_handler(|| {
        if ASKED.swap(true, Ordering::Relaxed) {
            for path in PARTIAL.lock().unwrap_or_else(std::sync::PoisonError::into_inner).iter() {
                let _ = std::fs::remove_file(path);
            }
            std::process::exit(130);
        }
    });
}

/// Whether the work shall stop.
pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// Ends the work with [`catchment::Error::Cancelled`] where it shall stop.
pub fn check() -> Result<(), catchment::Error> {
    if asked() { Err(catchment::Error::Cancelled) } else { Ok(()) }
}

/// Remembers an unfinished file, which a second Ctrl-C removes.
pub fn unfinished(path: &Path) {
    PARTIAL.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(path.to_owned());
}
