//! The driver's pipeline cache, kept from run to run where the driver has one: a file in the user's cache directory.
//!
//! It only ever saves time. A file that is missing, cut short or spoilt is ignored, one that cannot be written is left
//! out, and it is replaced by renaming, so that no other process reads half of it. `CATCHMENT_CACHE` names another directory,
//! or is `off`.

use std::cell::Cell;
use std::path::PathBuf;

/// A device's cache.
#[derive(Debug)]
pub(super) struct PipelineCache {
    cache: wgpu::PipelineCache,
    file: PathBuf,
    /// The checksum of what the file holds.
    stored: Cell<u64>,
}

impl PipelineCache {
    /// The cache of a device that has the feature.
    pub(super) fn open(device: &wgpu::Device, info: &wgpu::AdapterInfo) -> Option<PipelineCache> {
        if !device.features().contains(wgpu::Features::PIPELINE_CACHE) {
            return None;
        }
        let file = directory()?.join(wgpu::util::pipeline_cache_key(info)?);
        let content = std::fs::read(&file).ok().and_then(|bytes| sound(&bytes).map(<[u8]>::to_vec));
        let stored = Cell::new(content.as_deref().map_or(0, checksum));
        let descriptor =
            wgpu::PipelineCacheDescriptor { label: Some("catchment"), data: content.as_deref(), fallback: true };
        // SAFETY: the data is what `get_data` once returned, by its checksum; what another driver or version wrote falls
        // back to an empty cache.
        let cache = unsafe { device.create_pipeline_cache(&descriptor) };
        Some(PipelineCache { cache, file, stored })
    }

    /// What pipelines are created with.
    pub(super) fn get(&self) -> &wgpu::PipelineCache {
        &self.cache
    }

    /// Writes the file where it would hold something new.
    pub(super) fn save(&self) {
        let Some(content) = self.cache.get_data() else { return };
        let sum = checksum(&content);
        if sum == self.stored.replace(sum) {
            return;
        }
        let Some(parent) = self.file.parent() else { return };
        let part = self.file.with_extension(format!("part{}", std::process::id()));
        let bytes = [&sum.to_le_bytes()[..], &content].concat();
        let written = std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&part, bytes))
            .and_then(|()| std::fs::rename(&part, &self.file));
        if written.is_err() {
            // Nothing is lost but time.
            let _ = std::fs::remove_file(&part);
        }
    }
}

/// What a file holds, if its checksum is right.
fn sound(bytes: &[u8]) -> Option<&[u8]> {
    let (sum, content) = bytes.split_first_chunk::<8>()?;
    (u64::from_le_bytes(*sum) == checksum(content)).then_some(content)
}

/// FNV-1a.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, &b| (sum ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

/// Where the file lies: `CATCHMENT_CACHE`, else the platform's directory for caches.
fn directory() -> Option<PathBuf> {
    let path = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    if let Some(own) = path("CATCHMENT_CACHE") {
        return (own.as_os_str() != "off").then_some(own);
    }
    let caches = if cfg!(windows) {
        path("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        path("HOME").map(|home| home.join("Library/Caches"))
    } else {
        path("XDG_CACHE_HOME").or_else(|| path("HOME").map(|home| home.join(".cache")))
    };
    caches.map(|caches| caches.join("catchment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spoilt_file_is_ignored() {
        let content = b"what a driver wrote".to_vec();
        let mut bytes = [&checksum(&content).to_le_bytes()[..], &content].concat();
        assert_eq!(sound(&bytes), Some(&content[..]));
        assert_eq!(sound(&bytes[..bytes.len() - 1]), None);
        assert_eq!(sound(&bytes[..5]), None);
        bytes[12] ^= 1;
        assert_eq!(sound(&bytes), None);
    }
}
