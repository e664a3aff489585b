//! Embeds every file of `catalog/`: adding a surface or an optimizer is adding a file.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let mut code = String::new();
    for (table, folder, extension) in [("SURFACES", "surfaces", "surf"), ("OPTIMIZERS", "optimizers", "opt")] {
        let folder = Path::new(&root).join("catalog").join(folder);
        println!("cargo::rerun-if-changed={}", folder.display());
        let mut files: Vec<_> = fs::read_dir(&folder)?.collect::<io::Result<Vec<_>>>()?;
        files.sort_by_key(fs::DirEntry::file_name);
        let _ = writeln!(code, "const {table}: &[(&str, &str)] = &[");
        for path in files.iter().map(fs::DirEntry::path).filter(|p| p.extension().is_some_and(|e| e == extension)) {
            println!("cargo::rerun-if-changed={}", path.display());
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let _ = writeln!(code, "    ({name:?}, include_str!({:?})),", path.display().to_string());
        }
        code.push_str("];\n");
    }
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("catalog.rs"), code)
}
