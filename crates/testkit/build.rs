//! Compiles the tool server that tests put into images: a static program of its own.

use std::env;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=programs");
    let variable = |name| env::var(name).expect("cargo sets it");
    let program = PathBuf::from(variable("OUT_DIR")).join("tool_server");
    let status = Command::new(variable("RUSTC"))
        .args(["--edition=2024", "programs/tool_server.rs"])
        .args(["--target", &variable("TARGET")])
        .args(["-Copt-level=1", "-Cpanic=abort", "-Cstrip=symbols"])
        .arg("-Ctarget-feature=+crt-static")
        .arg("-o")
        .arg(&program)
        .status();
    let is_compiled = status.is_ok_and(|status| status.success());
    assert!(
        is_compiled,
        "the tool server could not be linked statically; is libc.a missing?"
    );
}
