//! Embeds what `scripts/build.sh` put into `target/site`.

fn main() {
    // A fresh clone has none yet; the server then has no style and no browser half.
    std::fs::create_dir_all("../target/site").expect("make target/site");
    memory_serve::load_directory("../target/site");
}
