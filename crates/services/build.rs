//! Gathers the catalog's files into one.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let folder = PathBuf::from("../../deploy/mcp-catalog");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("the catalog's folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    files.sort();
    let mut entries = Vec::new();
    for path in files {
        let key = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("a name");
        let text = fs::read_to_string(&path).expect("a readable file");
        entries.push(format!("{key:?}: {}", text.trim()));
    }
    let gathered = format!("{{{}}}", entries.join(",\n"));
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("catalog.json"), gathered).expect("write to the build folder");
}
