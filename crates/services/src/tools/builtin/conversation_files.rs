//! Files of the conversation: listed, read, searched and written by its agent. Paths are names in
//! the database; contents are in the object store. Nothing here touches a disk of this machine.

use std::fmt::Write;

use bytes::Bytes;
use domain::files::{ConversationFile, File};
use domain::{ConversationId, FileId, WorkspaceId};
use sha2::{Digest, Sha256};
use store::Store;
use store::blobs::Blobs;
use store::conversation_files::ReadableFile;
use store::files::{NewFile, blob_key};

use crate::files::MAX_TEXT_CHARS;
use crate::mint;

/// Files that agents keep in one conversation at most.
pub(super) const MAX_FILES: u32 = 100;
/// Longest path, in characters.
pub(super) const MAX_PATH_CHARS: usize = 200;
/// Lines that one call reads at most, and by itself.
pub(super) const MAX_LINES: u64 = 2_000;
/// Lines found at most.
const MAX_FOUND: usize = 50;
/// Longest line that is shown of what was found, in characters.
const MAX_FOUND_CHARS: usize = 300;

/// A conversation's files.
#[derive(Clone)]
pub(crate) struct ConversationFiles {
    pub(crate) store: Store,
    pub(crate) blobs: Blobs,
    pub(crate) workspace_id: WorkspaceId,
    pub(crate) conversation_id: ConversationId,
    /// Bytes that all files of the workspace may have.
    pub(crate) workspace_bytes: u64,
}

impl ConversationFiles {
    pub(super) async fn list(&self) -> Result<String, String> {
        let mut tx = self.store.begin(self.workspace_id).await.map_err(away)?;
        let files = tx
            .list_conversation_files(self.conversation_id, 2 * MAX_FILES)
            .await
            .map_err(away)?;
        if files.is_empty() {
            return Ok("There are no files in this conversation.".to_owned());
        }
        let mut text = String::new();
        for ConversationFile {
            path,
            media_type,
            size_bytes,
            is_attached,
            ..
        } in files
        {
            let note = if is_attached {
                ", attached by a person"
            } else {
                ""
            };
            let _ = writeln!(text, "{path} ({media_type}, {size_bytes} bytes{note})");
        }
        Ok(text)
    }

    /// Lines from number `first` (1 is the first one).
    pub(super) async fn read(&self, path: &str, first: u64, count: u64) -> Result<String, String> {
        let path = check_path(path)?;
        let mut files = self.texts(Some(&path), 1).await?;
        let text = match files.pop() {
            None => {
                return Err(format!(
                    "there is no file {path:?}; list_files shows them all"
                ));
            }
            Some(ReadableFile { text: None, .. }) => {
                return Err(format!("{path:?} holds no text"));
            }
            Some(ReadableFile {
                text: Some(text), ..
            }) => text,
        };
        let first = usize::try_from(first.max(1)).unwrap_or(usize::MAX);
        let count = count.clamp(1, MAX_LINES) as usize;
        let total = text.lines().count();
        let shown: Vec<&str> = text.lines().skip(first - 1).take(count).collect();
        if shown.is_empty() && total > 0 {
            return Err(format!("the file has only {total} lines"));
        }
        let last = first - 1 + shown.len();
        let mut shown = shown.join("\n");
        if last < total {
            let _ = write!(shown, "\n\n[lines {first} to {last} of {total}]");
        }
        Ok(shown)
    }

    pub(super) async fn search(&self, words: &str) -> Result<String, String> {
        let wanted = words.to_lowercase();
        let mut found = String::new();
        let mut count = 0;
        for ReadableFile { path, text } in self.texts(None, 2 * MAX_FILES).await? {
            for (index, line) in text.unwrap_or_default().lines().enumerate() {
                if !line.to_lowercase().contains(&wanted) {
                    continue;
                }
                count += 1;
                if count <= MAX_FOUND {
                    let line: String = line.trim().chars().take(MAX_FOUND_CHARS).collect();
                    let _ = writeln!(found, "{path}:{}: {line}", index + 1);
                }
            }
        }
        match count {
            0 => Ok(format!("No file of this conversation has {words:?}.")),
            _ if count > MAX_FOUND => Ok(format!("{found}[{} more lines]", count - MAX_FOUND)),
            _ => Ok(found),
        }
    }

    pub(super) async fn write(&self, path: &str, content: &str) -> Result<String, String> {
        let path = check_path(path)?;
        if content.chars().count() > MAX_TEXT_CHARS {
            return Err(format!(
                "a file may have at most {MAX_TEXT_CHARS} characters"
            ));
        }
        let id: FileId = mint::id();
        let written = self.try_write(id, &path, content).await;
        if !matches!(written, Ok(Ok(()))) {
            self.drop_file(id).await;
        }
        written.map_err(away)??;
        let lines = content.lines().count();
        Ok(format!(
            "Wrote {path} ({lines} lines, {} bytes).",
            content.len()
        ))
    }

    async fn try_write(
        &self,
        id: FileId,
        path: &str,
        content: &str,
    ) -> store::Result<Result<(), String>> {
        let now = mint::now();
        let name = path.rsplit('/').next().unwrap_or(path);
        let size_bytes = content.len() as u64;
        let mut tx = self.store.begin(self.workspace_id).await?;
        if tx.sum_file_bytes().await? + size_bytes > self.workspace_bytes {
            return Ok(Err("the workspace has no room for more files".to_owned()));
        }
        let Some(author_id) = tx.find_asking_person(self.conversation_id).await? else {
            return Ok(Err("the run has ended".to_owned()));
        };
        let new = NewFile {
            id,
            author_id,
            name,
            now,
        };
        tx.create_file(new).await?;
        tx.commit().await?;
        let bytes = Bytes::copy_from_slice(content.as_bytes());
        let sha256 = Sha256::digest(&bytes);
        self.blobs
            .put(&blob_key(self.workspace_id, id), bytes)
            .await?;
        let file = File {
            id,
            name: name.to_owned(),
            media_type: media_type(name).to_owned(),
            size_bytes,
            sha256: String::new(),
            is_readable: true,
            created_at: now,
        };
        let mut tx = self.store.begin(self.workspace_id).await?;
        tx.finish_file(&file, &sha256, Some(content)).await?;
        let is_kept = tx
            .keep_conversation_file(self.conversation_id, path, id, MAX_FILES, now)
            .await?;
        if !is_kept {
            return Ok(Err(format!(
                "a conversation may have at most {MAX_FILES} files"
            )));
        }
        tx.commit().await?;
        Ok(Ok(()))
    }

    /// What fails now is done by the housekeeping.
    async fn drop_file(&self, id: FileId) {
        let dropped = async {
            let mut tx = self.store.begin(self.workspace_id).await?;
            tx.withdraw_file(id).await?;
            tx.commit().await
        };
        if let Err(error) = dropped.await {
            tracing::debug!(error = %error, "a file that was not written is cleaned up later");
        }
    }

    async fn texts(&self, path: Option<&str>, limit: u32) -> Result<Vec<ReadableFile>, String> {
        let mut tx = self.store.begin(self.workspace_id).await.map_err(away)?;
        let files = tx.read_conversation_files(self.conversation_id, path, limit);
        files.await.map_err(away)
    }
}

/// A path in its one spelling: names with slashes between them, no way up.
fn check_path(path: &str) -> Result<String, String> {
    let path = path.trim().trim_start_matches("./").trim_start_matches('/');
    let names: Vec<&str> = path.split('/').collect();
    let is_wrong = |name: &&str| {
        name.is_empty()
            || matches!(*name, "." | "..")
            || name.chars().any(|c| c.is_control() || c == '\\')
    };
    if path.chars().count() > MAX_PATH_CHARS || names.iter().any(is_wrong) {
        return Err(format!(
            "{path:?} is no path; write it like \"notes/plan.md\", at most {MAX_PATH_CHARS} \
             characters"
        ));
    }
    Ok(path.to_owned())
}

/// Told by the extension: an agent writes nothing but text.
fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("md" | "markdown") => "text/markdown",
        Some("csv") => "text/csv",
        Some("json") => "application/json",
        _ => "text/plain",
    }
}

fn away(error: impl std::fmt::Display) -> String {
    tracing::warn!(error = %error, "files of a conversation");
    "the files cannot be reached now; try again later".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_one_spelling_and_lead_nowhere_else() {
        for (given, kept) in [
            ("notes.md", Some("notes.md")),
            ("/notes/plan.md", Some("notes/plan.md")),
            ("./a b.txt", Some("a b.txt")),
            ("..", None),
            ("a/../b", None),
            ("a//b", None),
            ("a/./b", None),
            ("..\\b", None),
            ("", None),
            ("a\0b", None),
            ("a\nb", None),
        ] {
            assert_eq!(check_path(given).ok().as_deref(), kept, "{given:?}");
        }
    }
}
