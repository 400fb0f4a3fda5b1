//! Fetches PostgreSQL's programs once and keeps them.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::signal::unix::{SignalKind, signal};

use super::download::download;
use super::package::Package;
use super::unpack::unpack;

/// How often it is looked whether another process has finished.
const GLANCE: Duration = Duration::from_millis(100);

/// The folder of a package inside `shelf`, fetched unless it is there.
///
/// Processes that need it at once wait for the first one. A crash leaves no half of it: it is
/// unpacked beside its place and moved there when it is complete.
///
/// # Errors
/// If the network, the digest, the archive or the disk is in the way.
pub(super) async fn fetch(package: &Package, shelf: &Path) -> anyhow::Result<PathBuf> {
    let folder = shelf.join(&package.folder_name);
    if folder.exists() {
        return Ok(folder);
    }
    let lock = hold(&shelf.join(format!("{}.lock", package.folder_name))).await?;
    if folder.exists() {
        return Ok(folder);
    }
    tracing::info!(
        url = package.url,
        size_bytes = package.size_bytes,
        folder = %folder.display(),
        "no PostgreSQL on this machine, so it is fetched once"
    );
    let unfinished = shelf.join(format!("unfinished-{}", package.folder_name));
    clear(&unfinished)?;
    let fetched = fetch_through(&unfinished, package, folder, lock.clone()).await;
    // Of two errors the first one is worth telling; the next start clears up as well.
    let cleared = clear(&unfinished);
    drop(lock);
    let folder = fetched?;
    cleared.map(|()| folder)
}

async fn fetch_through(
    unfinished: &Path,
    package: &Package,
    folder: PathBuf,
    lock: Arc<File>,
) -> anyhow::Result<PathBuf> {
    std::fs::create_dir(unfinished).with_context(|| format!("make {}", unfinished.display()))?;
    let archive = unfinished.join("package.tgz");
    tokio::select! {
        done = download(package, &archive) => done?,
        () = asked_to_stop() => bail!("asked to stop"),
    }
    let unpacked = unfinished.join("unpacked");
    let unpacking = tokio::task::spawn_blocking(move || {
        // Held in here, because this goes on even if nobody waits for it any more.
        let _lock = lock;
        let archive = File::open(&archive).context("open the downloaded archive")?;
        unpack(archive, &unpacked)?;
        std::fs::rename(&unpacked, &folder)
            .with_context(|| format!("put PostgreSQL into {}", folder.display()))?;
        Ok(folder)
    });
    unpacking.await.context("unpack PostgreSQL")?
}

fn clear(folder: &Path) -> anyhow::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    std::fs::remove_dir_all(folder).with_context(|| format!("remove {}", folder.display()))
}

/// Returns when the process is asked to stop, which nobody else hears before the start is over.
async fn asked_to_stop() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// Waits for as long as a download may take, and a little for unpacking.
async fn hold(path: &Path) -> anyhow::Result<Arc<File>> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .with_context(|| format!("open {}", path.display()))?;
    for turn in 0..6_600 {
        match file.try_lock() {
            Ok(()) => return Ok(Arc::new(file)),
            Err(TryLockError::WouldBlock) if turn == 0 => {
                tracing::info!("waiting for another process that fetches PostgreSQL");
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("lock {}", path.display()));
            }
        }
        tokio::time::sleep(GLANCE).await;
    }
    bail!("another process has held {} for 11 minutes", path.display())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use sha2::{Digest, Sha512};
    use tempfile::TempDir;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const LINKS: &str =
        r#"[{"source":"native/lib/libpq.so.5.17","target":"native/lib/libpq.so.5"}]"#;

    #[tokio::test]
    async fn package_is_unpacked_with_its_programs_and_links() {
        let shelf = shelf();
        let package = serve_once(good_archive()).await;

        let folder = fetch(&package, shelf.path()).await.expect("fetched");

        let mode = |name: &str| {
            let metadata = folder.join(name).metadata().expect("it exists");
            metadata.permissions().mode() & 0o7777
        };
        assert_eq!(folder, shelf.path().join("postgresql-17.10.0"));
        assert_eq!(mode("native/bin/postgres"), 0o755);
        assert_eq!(mode("native/lib/libpq.so.5.17"), 0o644);
        assert_eq!(mode("native/bin"), 0o755);
        let link = std::fs::read_link(folder.join("native/lib/libpq.so.5"));
        assert_eq!(link.expect("a link"), Path::new("libpq.so.5.17"));
        assert_eq!(
            std::fs::read(folder.join("native/lib/libpq.so.5")).expect("it leads to the file"),
            b"library"
        );
    }

    #[tokio::test]
    async fn package_is_downloaded_once_for_many_at_once_and_later() {
        let shelf = shelf();
        let package = serve_once(good_archive()).await;

        let (first, second) =
            tokio::join!(fetch(&package, shelf.path()), fetch(&package, shelf.path()));
        let third = fetch(&package, shelf.path()).await;

        assert_eq!(first.expect("fetched"), second.expect("waited for"));
        assert!(third.is_ok(), "{third:?}");
    }

    #[tokio::test]
    async fn failed_fetch_leaves_the_one_that_waits_alone() {
        let shelf = shelf();
        let good = serve_once(good_archive()).await;
        let mut bad = serve_once(good_archive()).await;
        bad.sha512.clear();

        let (first, second) = tokio::join!(fetch(&bad, shelf.path()), fetch(&good, shelf.path()));

        assert!(first.is_err(), "{first:?}");
        assert!(second.is_ok(), "{second:?}");
    }

    #[tokio::test]
    async fn remains_of_a_crash_are_replaced() {
        let shelf = shelf();
        let remains = shelf
            .path()
            .join("unfinished-postgresql-17.10.0/native/bin");
        std::fs::create_dir_all(&remains).expect("remains");
        std::fs::write(remains.join("postgres"), "half").expect("remains");
        let package = serve_once(good_archive()).await;

        let folder = fetch(&package, shelf.path()).await.expect("fetched");

        let program = std::fs::read(folder.join("native/bin/postgres"));
        assert_eq!(program.expect("the program"), b"program");
        assert_eq!(names_in(shelf.path()), ["postgresql-17.10.0"]);
    }

    #[tokio::test]
    async fn other_digest_is_refused() {
        let mut package = serve_once(good_archive()).await;
        package.sha512 = BASE64_STANDARD.encode(Sha512::digest(b"something else"));

        refuses(&package, "SHA-512").await;
    }

    #[tokio::test]
    async fn larger_file_is_refused() {
        let mut package = serve_once(good_archive()).await;
        package.size_bytes -= 1;

        refuses(&package, "larger than").await;
    }

    #[tokio::test]
    async fn cut_off_file_is_refused() {
        let archive = good_archive();
        let mut package = serve_once(archive[..archive.len() - 1].to_vec()).await;
        package.size_bytes = archive.len();
        package.sha512 = BASE64_STANDARD.encode(Sha512::digest(&archive));

        refuses(&package, "SHA-512").await;
    }

    #[tokio::test]
    async fn paths_that_leave_the_folder_are_refused() {
        for path in [
            "package/../../escaped",
            "../escaped",
            "/escaped",
            "package/native/../../../escaped",
        ] {
            let mut files = good_files();
            files.push((path, 0o644, b"evil"));

            let package = serve_once(archive(&files)).await;

            refuses(&package, "leaves its folder").await;
        }
    }

    #[tokio::test]
    async fn links_in_the_archive_are_refused() {
        let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        builder
            .append_link(&mut header, "package/native", "/tmp")
            .expect("a link");
        let bytes = builder.into_inner().and_then(GzEncoder::finish);

        let package = serve_once(bytes.expect("an archive")).await;

        refuses(&package, "Symlink").await;
    }

    #[tokio::test]
    async fn listed_links_that_leave_their_folder_are_refused() {
        for (links, told) in [
            (r#"[{"source":"native/lib/a","target":"../a"}]"#, "leaves"),
            (
                r#"[{"source":"/etc/passwd","target":"native/a"}]"#,
                "leaves",
            ),
            (r#"[{"source":"native/a","target":"b"}]"#, "beside"),
        ] {
            let files: [(&str, u32, &[u8]); 1] =
                [("package/native/pg-symlinks.json", 0o644, links.as_bytes())];

            let package = serve_once(archive(&files)).await;

            refuses(&package, told).await;
        }
    }

    /// Fetches in vain: the error tells `why`, and nothing is left behind or written elsewhere.
    async fn refuses(package: &Package, why: &str) {
        let shelf = shelf();
        let inner = shelf.path().join("inner");
        std::fs::create_dir(&inner).expect("a folder");

        let error = fetch(package, &inner).await.expect_err("refused");

        assert!(format!("{error:#}").contains(why), "{error:#}");
        assert!(names_in(&inner).is_empty(), "{:?}", names_in(&inner));
        assert_eq!(names_in(shelf.path()), ["inner"]);
        assert!(!Path::new("/escaped").exists());
    }

    fn shelf() -> TempDir {
        tempfile::tempdir().expect("temporary folder")
    }

    /// Names of what is there, but for the lock.
    fn names_in(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).expect("a folder").flatten();
        entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| !name.ends_with(".lock"))
            .collect()
    }

    fn good_files() -> Vec<(&'static str, u32, &'static [u8])> {
        vec![
            ("package/native/bin/postgres", 0o775, b"program"),
            ("package/native/lib/libpq.so.5.17", 0o666, b"library"),
            ("package/native/pg-symlinks.json", 0o600, LINKS.as_bytes()),
        ]
    }

    fn good_archive() -> Vec<u8> {
        archive(&good_files())
    }

    /// Writes names as they are: the builder would refuse the bad ones.
    fn archive(files: &[(&str, u32, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (name, mode, content) in files {
            let mut header = tar::Header::new_gnu();
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_mode(*mode);
            header.set_size(content.len() as u64);
            header.set_cksum();
            builder.append(&header, *content).expect("a file");
        }
        let bytes = builder.into_inner().and_then(GzEncoder::finish);
        bytes.expect("an archive")
    }

    /// Serves an archive to the first request and nothing to any other; gives its package.
    async fn serve_once(archive: Vec<u8>) -> Package {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let package = Package {
            folder_name: "postgresql-17.10.0".to_owned(),
            url: format!("http://{address}/linux-x64.tgz"),
            size_bytes: archive.len(),
            sha512: BASE64_STANDARD.encode(Sha512::digest(&archive)),
        };
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a request");
            drop(listener);
            let _ = stream.read(&mut [0; 4096]).await;
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                archive.len()
            );
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(&archive).await;
        });
        package
    }
}
