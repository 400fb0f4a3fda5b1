//! Files of messages, as they are shown.

use domain::files::AttachedFile;
use leptos::prelude::*;

use crate::ui::Icon;

/// Images as such, everything else by name, each leading to the file.
pub fn attached_files(files: Vec<AttachedFile>) -> AnyView {
    if files.is_empty() {
        return ().into_any();
    }
    let shown: Vec<AnyView> = files.into_iter().map(attached_file).collect();
    view! {
        <ul class="attached" aria-label="Files">
            {shown}
        </ul>
    }
    .into_any()
}

fn attached_file(file: AttachedFile) -> AnyView {
    let address = format!("/api/v1/files/{}", file.id);
    let source = address.clone();
    match file.is_image() {
        true => view! {
            <li>
                <a class="attached-image" href=address rel="external">
                    <img src=source alt=file.name loading="lazy" />
                </a>
            </li>
        }
        .into_any(),
        false => view! {
            <li>
                <a class="file-chip" href=address download="" rel="external">
                    <Icon name="file-text" />
                    <span>{file.name}</span>
                    <small>{size(file.size_bytes)}</small>
                </a>
            </li>
        }
        .into_any(),
    }
}

/// A size in the largest unit that fits.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
    }
}
