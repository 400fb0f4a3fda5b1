//! Gathers the files of the catalog, and those of the agent templates, into one each.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it"));
    let catalog = files("../../deploy/mcp-catalog", "json");
    let entries: Vec<String> = catalog
        .iter()
        .map(|path| format!("{:?}: {}", key(path), text(path).trim()))
        .collect();
    let gathered = format!("{{{}}}", entries.join(",\n"));
    fs::write(out.join("catalog.json"), gathered).expect("write to the build folder");
    let templates = files("../../deploy/agent-templates", "yaml");
    let entries: Vec<String> = templates
        .iter()
        .map(|path| format!("({:?}, {:?})", key(path), text(path)))
        .collect();
    let gathered = format!("&[{}]", entries.join(",\n"));
    fs::write(out.join("templates.rs"), gathered).expect("write to the build folder");
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    println!("cargo::rerun-if-changed={folder}");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|it| it == extension))
        .collect();
    files.sort();
    files
}

fn key(path: &Path) -> &str {
    path.file_stem()
        .and_then(|stem| stem.to_str())
        .expect("a name")
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("a readable file")
}
