//! Certificates for an engine that speaks TLS.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

/// An authority, and what it says of the engine and of its client.
const MAKE: &str = r#"set -eu
cd "$1"
key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
openssl req -x509 $key -keyout ca-key.pem -out ca.pem -days 2 -subj /CN=authority
printf 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n' >extensions
for name in server client; do
  openssl req $key -keyout $name-key.pem -out $name.csr -subj /CN=$name
  openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 \
    -out $name-cert.pem -extfile extensions
done
mv client-key.pem key.pem
mv client-cert.pem cert.pem
"#;

/// Makes them in a folder.
pub(super) fn make(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir(folder)?;
    let output = Command::new("/bin/sh")
        .args(["-c", MAKE, "make"])
        .arg(folder)
        .output()
        .context("making certificates")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "making certificates: {errors}");
    Ok(())
}
