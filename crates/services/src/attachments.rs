//! Files that go with a message: which may, and how models read them.

use bytes::{Bytes, BytesMut};
use domain::{Error, FileId, WorkspaceId};
use futures::TryStreamExt;
use llm::{Image, ModelMessage};
use store::TenantTx;
use store::attachments::Attachment;
use store::blobs::Blobs;
use store::files::blob_key;

use crate::fault::OrFault;

/// Longest text of all files of a message that models read, in characters.
const MAX_CHARS: usize = 200_000;
/// Largest picture that models are shown: providers refuse those that have more than 5 MiB as base64.
const MAX_PICTURE_BYTES: u64 = 5 * 1024 * 1024 / 4 * 3;
/// Pictures of a conversation that models are shown, the newest ones, and their bytes in all.
const MAX_PICTURES: usize = 20;
const MAX_PICTURES_BYTES: u64 = 20 * 1024 * 1024;

/// A picture of a message that is not loaded yet.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    /// Where the message stands among those that the model reads.
    pub(crate) message: usize,
    file_id: FileId,
    name: String,
    media_type: String,
    size_bytes: u64,
}

/// The pictures among the files of a message.
pub(crate) fn pictures(message: usize, files: &[Attachment]) -> impl Iterator<Item = Picture> {
    let images = files.iter().filter(|it| it.file.is_image());
    images.map(move |it| Picture {
        message,
        file_id: it.file.id,
        name: it.file.name.clone(),
        media_type: it.file.media_type.clone(),
        size_bytes: it.file.size_bytes,
    })
}

/// Puts pictures into their messages; `pictures` are in the order of the conversation. Of one that is
/// too large, too old or cannot be read the message's text says so: the model can tell the person.
pub(crate) async fn load_pictures(
    blobs: &Blobs,
    workspace_id: WorkspaceId,
    pictures: &[Picture],
    messages: &mut [ModelMessage],
) {
    let mut room = MAX_PICTURES_BYTES;
    let mut loaded: Vec<(usize, Image)> = Vec::new();
    let mut left_out = Vec::new();
    for picture in pictures.iter().rev() {
        if picture.size_bytes > MAX_PICTURE_BYTES {
            left_out.push((picture, "it has more than 3.75 MiB"));
            continue;
        }
        if loaded.len() == MAX_PICTURES || picture.size_bytes > room {
            // Older ones are not looked at any more.
            room = 0;
            left_out.push((picture, "there are too many later ones"));
            continue;
        }
        match read_picture(blobs, &blob_key(workspace_id, picture.file_id)).await {
            Ok(bytes) => {
                room -= picture.size_bytes;
                let media_type = picture.media_type.as_str().into();
                loaded.push((picture.message, Image { media_type, bytes }));
            }
            Err(error) => {
                tracing::warn!(file.id = %picture.file_id, error = %error, "read a picture");
                left_out.push((picture, "it cannot be read"));
            }
        }
    }
    for (picture, why) in left_out.into_iter().rev() {
        if let Some(ModelMessage::User { text, .. }) = messages.get_mut(picture.message) {
            let name = &picture.name;
            *text = format!("{text}\n\n[The picture {name:?} is not shown to you: {why}.]").into();
        }
    }
    for (index, message) in messages.iter_mut().enumerate() {
        if let ModelMessage::User { images, .. } = message {
            let own = loaded.iter().rev().filter(|(of, _)| *of == index);
            let own: Vec<Image> = own.map(|(_, image)| image.clone()).collect();
            if !own.is_empty() {
                *images = own.into();
            }
        }
    }
}

async fn read_picture(blobs: &Blobs, key: &str) -> anyhow::Result<Bytes> {
    let content = blobs.read(key).await?;
    let mut content = content.ok_or_else(|| anyhow::anyhow!("its content is gone"))?;
    let mut bytes = BytesMut::new();
    while let Some(part) = content.try_next().await? {
        bytes.extend_from_slice(&part);
        anyhow::ensure!(bytes.len() as u64 <= MAX_PICTURE_BYTES, "it has grown");
    }
    Ok(bytes.freeze())
}

/// Finds the files that a message shall have.
///
/// # Errors
/// `Invalid` if one is missing, foreign or malformed, in the same words.
pub(crate) async fn find(tx: &mut TenantTx, ids: &[String]) -> Result<Vec<Attachment>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let parsed: Vec<FileId> = ids.iter().filter_map(|id| id.parse().ok()).collect();
    let found = tx.lock_files(&parsed).await.or_fault()?;
    if found.len() < ids.len() {
        let text = "names a file that is not in this workspace; upload it first";
        return Err(Error::invalid("attachments", text));
    }
    Ok(found)
}

/// A message with its files as one text. What is too long is cut, and what cannot be read is named.
pub(crate) fn as_read(text: &str, files: &[Attachment]) -> String {
    let mut whole = text.to_owned();
    let mut room = MAX_CHARS;
    for Attachment { file, text } in files {
        let name = file.name.replace('"', "'");
        let head = format!(
            "\n\n<attachment name=\"{name}\" type=\"{}\"",
            file.media_type
        );
        let Some(text) = text else {
            whole += &head;
            whole += match file.is_image() {
                true => " />",
                false => ">This file cannot be read.</attachment>",
            };
            continue;
        };
        let end = text.char_indices().nth(room).map(|(end, _)| end);
        let shown = &text[..end.unwrap_or(text.len())];
        room = room.saturating_sub(text.chars().count());
        whole += &format!("{head}>\n{shown}\n");
        if end.is_some() || text.chars().count() >= crate::files::MAX_TEXT_CHARS {
            whole += "[The rest of this file is left out because it is too long.]\n";
        }
        whole += "</attachment>";
    }
    whole
}

#[cfg(test)]
mod tests {
    use domain::files::AttachedFile;

    use super::*;

    fn attachment(name: &str, media_type: &str, text: Option<&str>) -> Attachment {
        Attachment {
            file: AttachedFile {
                id: uuid::Uuid::from_u128(1).into(),
                name: name.to_owned(),
                media_type: media_type.to_owned(),
                size_bytes: 1,
            },
            text: text.map(str::to_owned),
        }
    }

    #[test]
    fn files_follow_the_text_and_are_named() {
        let files = [
            attachment("a\"b.csv", "text/csv", Some("x,y\n1,2")),
            attachment("c.png", "image/png", None),
            attachment("d.zip", "application/zip", None),
        ];

        let read = as_read("Compare", &files);

        assert_eq!(
            read,
            "Compare\n\n<attachment name=\"a'b.csv\" type=\"text/csv\">\nx,y\n1,2\n</attachment>\
             \n\n<attachment name=\"c.png\" type=\"image/png\" />\
             \n\n<attachment name=\"d.zip\" type=\"application/zip\">This file cannot be read.\
             </attachment>"
        );
        assert_eq!(as_read("Alone", &[]), "Alone");
    }

    #[test]
    fn long_files_are_cut_and_it_is_said() {
        let long = "é".repeat(90_000);
        let files = [(); 3].map(|()| attachment("a.txt", "text/plain", Some(&long)));

        let read = as_read("", &files);

        assert_eq!(read.matches('é').count(), MAX_CHARS);
        assert_eq!(read.matches("left out").count(), 1);
    }
}
