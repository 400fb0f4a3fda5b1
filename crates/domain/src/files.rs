//! Files that people upload, and which of them go with a message.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{ConversationId, Error, FileId, Timestamp};

/// Files that one message can have.
pub const MAX_ATTACHMENTS: usize = 10;
/// Longest name of a file, in characters.
pub const MAX_NAME_CHARS: usize = 200;
/// Images that are shown as such; a browser runs nothing in them.
pub const IMAGE_TYPES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/// An uploaded file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct File {
    /// The id.
    pub id: FileId,
    /// Its name: one line without folders or control characters.
    pub name: String,
    /// What it is, found out from its content: one of [`IMAGE_TYPES`], a text type, PDF, ZIP or
    /// `application/octet-stream`.
    pub media_type: String,
    /// Its size.
    pub size_bytes: u64,
    /// SHA-256 of the content, hexadecimal.
    pub sha256: String,
    /// Whether agents can read it: as text, or as an image by models that see.
    pub is_readable: bool,
    /// When it was uploaded.
    pub created_at: Timestamp,
}

/// A file of a message, as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttachedFile {
    /// The id.
    pub id: FileId,
    /// Its name.
    pub name: String,
    /// What it is.
    pub media_type: String,
    /// Its size.
    pub size_bytes: u64,
}

/// A file of a conversation: one that its agent keeps, or an attachment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConversationFile {
    /// Its path there, or the attachment's name.
    pub path: String,
    /// The file; a new one each time the agent writes.
    pub file_id: FileId,
    /// What it is.
    pub media_type: String,
    /// Its size.
    pub size_bytes: u64,
    /// Whether a person attached it.
    pub is_attached: bool,
    /// When it was written last.
    pub updated_at: Timestamp,
}

/// The workspace's files. Uploads and downloads are streams and have doors of their own.
#[async_trait]
pub trait Files: Send + Sync {
    /// Deletes a file that no message has.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if a message has it.
    async fn delete_file(&self, id: FileId) -> Result<(), Error>;

    /// Lists the files of a conversation by path, those that its agent keeps first; at most 200.
    ///
    /// # Errors
    /// `NotFound`.
    async fn list_conversation_files(
        &self,
        id: ConversationId,
    ) -> Result<Vec<ConversationFile>, Error>;
}

impl AttachedFile {
    /// Whether it is shown as an image.
    pub fn is_image(&self) -> bool {
        IMAGE_TYPES.contains(&self.media_type.as_str())
    }
}

/// A name that is safe in every folder, header and page: the last part of a path, without control
/// and direction characters, at most [`MAX_NAME_CHARS`] long; never empty.
pub fn safe_name(given: &str) -> String {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last.chars().filter(|c| !is_unsafe(*c)).collect();
    let kept = kept.trim().trim_matches('.').trim();
    match kept.chars().count() {
        0 => "file".to_owned(),
        length if length <= MAX_NAME_CHARS => kept.to_owned(),
        _ => cut(kept),
    }
}

/// The beginning of a long name, with its extension if that is a usual one.
fn cut(name: &str) -> String {
    let extension = name
        .rsplit_once('.')
        .map(|(_, extension)| format!(".{extension}"))
        .filter(|extension| extension.chars().count() <= 10)
        .unwrap_or_default();
    let room = MAX_NAME_CHARS - extension.chars().count();
    let stem: String = name.chars().take(room).collect();
    format!("{}{extension}", stem.trim_end())
}

/// Control characters, and those that turn or hide what is written after them.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{061c}' | '\u{feff}' | '\u{fff9}'..='\u{fffd}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_folders_controls_and_directions() {
        for (given, safe) in [
            ("notes.txt", "notes.txt"),
            ("../../etc/passwd", "passwd"),
            ("..\\..\\boot.ini", "boot.ini"),
            ("/", "file"),
            ("..", "file"),
            ("", "file"),
            ("a\0b\r\nc.txt", "abc.txt"),
            ("evil\u{202e}gpj.exe", "evilgpj.exe"),
            ("Über die Größe.pdf", "Über die Größe.pdf"),
            ("\"; filename=\"x.html", "; filename=x.html"),
            ("C:\\folder\\报告.docx", "报告.docx"),
            (".hidden", "hidden"),
        ] {
            assert_eq!(safe_name(given), safe, "{given:?}");
        }
    }

    #[test]
    fn long_names_keep_their_extension() {
        let name = safe_name(&format!("{}.markdown", "é".repeat(5000)));

        assert_eq!(name.chars().count(), MAX_NAME_CHARS);
        assert!(name.ends_with("é.markdown"), "{name}");
    }
}
