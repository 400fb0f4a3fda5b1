//! An image with the machine's own Node.js and Python, where none can be pulled.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

/// Copies the programs with their libraries and certificates, and packs them.
const PACK: &str = r#"set -eu
root=$1
programs="/bin/sh /bin/cat /bin/mkdir /bin/chown /usr/bin/node /usr/bin/python3"
libraries=$(for file in $programs /usr/lib/python3.*/lib-dynload/*.so; do ldd "$file"; done |
  grep -o '/[^ ]*' | sort -u)
cp -L --parents $programs $libraries /lib/*-linux-gnu*/librt.so.1 "$root"
tar -C / -cf - usr/lib/node_modules/npm usr/lib/python3 $(cd / && echo usr/lib/python3.*) | tar -C "$root" -xf -
mkdir -p "$root/etc/ssl/certs" "$root/tmp"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs"
chmod 1777 "$root/tmp"
printf '#!/bin/sh\nexec node /usr/lib/node_modules/npm/bin/npm-cli.js "$@"\n' >"$root/usr/bin/npm"
chmod 755 "$root/usr/bin/npm"
[ "$2" = plain ] || install -d -o 65532 -g 65532 "$root/app"
tar -C "$root" -cf "$root.tar" .
rm -rf "$root"
"#;

/// Settings of the image: who runs, where, and which certificates are believed.
pub(super) const CHANGES: [&str; 3] = [
    "USER 65532:65532",
    "WORKDIR /app",
    "ENV npm_config_cafile=/etc/ssl/certs/ca-certificates.crt \
     PIP_CERT=/etc/ssl/certs/ca-certificates.crt",
];

/// The image's files as an archive, with a folder for packages unless the kind is `plain`; takes some
/// seconds.
pub(super) fn archive(folder: &Path, kind: &str) -> anyhow::Result<Vec<u8>> {
    let root = folder.join("root");
    std::fs::create_dir(&root)?;
    let output = Command::new("/bin/sh")
        .args(["-c", PACK, "pack"])
        .arg(&root)
        .arg(kind)
        .output()
        .context("packing an image")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "packing an image: {errors}");
    Ok(std::fs::read(folder.join("root.tar"))?)
}
