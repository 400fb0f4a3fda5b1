//! Embeds what `scripts/build.sh` put into `target/site`, and its list of the browser half's files.

use std::path::Path;
use std::{env, fs};

const LIST: &str = "../target/web/browser.txt";

fn main() {
    // A fresh clone has none yet; the server then has no style and no browser half.
    fs::create_dir_all("../target/site").expect("make target/site");
    memory_serve::load_directory("../target/site");

    if !Path::new(LIST).exists() {
        fs::create_dir_all("../target/web").expect("make target/web");
        fs::write(LIST, "").expect("make an empty list");
    }
    println!("cargo:rerun-if-changed={LIST}");
    let embedded = Path::new(&env::var_os("OUT_DIR").expect("cargo sets it")).join("browser.txt");
    fs::copy(LIST, embedded).expect("copy the list");
}
