//! Compiles the relay: a static program of its own that is embedded into the crate.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=relay");
    let variable = |name| env::var(name).expect("cargo sets it");
    let relay = PathBuf::from(variable("OUT_DIR")).join("relay");
    let compiled = Command::new(variable("RUSTC"))
        .args(["--edition=2024", "--crate-name=relay", "relay/main.rs"])
        .args(["--target", &variable("TARGET")])
        .args(["-Copt-level=s", "-Cpanic=abort", "-Cstrip=symbols"])
        .arg("-Ctarget-feature=+crt-static")
        .arg("-o")
        .arg(&relay)
        .status();
    if !compiled.is_ok_and(|status| status.success()) {
        // Everything but the network of containers works without it, and says so.
        println!("cargo::warning=the relay could not be linked statically (is libc.a missing?)");
        fs::write(&relay, []).expect("write to the build folder");
    }
}
