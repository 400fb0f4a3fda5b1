//! Files on their way into the next message.

use domain::FileId;
use domain::files::AttachedFile;
use leptos::ev::DragEvent;
use leptos::prelude::*;
use web_sys::FileList;

use crate::ui::{Icon, live};

/// How an upload stands.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "ssr",
    expect(dead_code, reason = "files are on their way in the browser only")
)]
pub enum UploadState {
    /// Per cent that are sent.
    Going(u32),
    /// It is there.
    Done(FileId),
    /// It was not taken, and why.
    Failed(String),
}

/// One file.
#[derive(Clone)]
pub struct Upload {
    number: u32,
    name: String,
    state: ArcRwSignal<UploadState>,
}

/// The files of the message that is being written.
#[derive(Clone, Copy)]
pub struct Tray {
    uploads: RwSignal<Vec<Upload>>,
    count: StoredValue<u32>,
}

impl Tray {
    /// No files yet.
    pub fn new() -> Self {
        Self {
            uploads: RwSignal::new(Vec::new()),
            count: StoredValue::new(0),
        }
    }

    /// Replaces the files by those of a message that is there.
    pub fn fill(self, files: Vec<AttachedFile>) {
        let uploads = files
            .into_iter()
            .map(|file| self.upload(file.name, UploadState::Done(file.id)))
            .collect();
        self.uploads.set(uploads);
    }

    /// Whether a file is still on its way.
    pub fn is_busy(self) -> bool {
        self.uploads.with_untracked(|uploads| {
            uploads
                .iter()
                .any(|upload| matches!(upload.state.get_untracked(), UploadState::Going(_)))
        })
    }

    /// Empties the tray; gives what was in it.
    pub fn take(self) -> Vec<Upload> {
        self.uploads.try_update(std::mem::take).unwrap_or_default()
    }

    /// Puts back what was taken, if nothing new is there.
    pub fn put_back(self, taken: Vec<Upload>) {
        if self.uploads.with_untracked(Vec::is_empty) {
            self.uploads.set(taken);
        }
    }

    /// Uploads files that a person chose, dropped or pasted.
    #[cfg(not(feature = "ssr"))]
    pub fn add(self, files: &FileList) {
        for index in 0..files.length() {
            let Some(file) = files.get(index) else {
                continue;
            };
            let upload = self.upload(file.name(), UploadState::Going(0));
            let state = upload.state.clone();
            self.uploads.update(|uploads| uploads.push(upload));
            sending::send(&file, state);
        }
    }

    /// Nothing is uploaded while the server renders.
    #[cfg(feature = "ssr")]
    pub fn add(self, _: &FileList) {}

    fn upload(self, name: String, state: UploadState) -> Upload {
        self.count.update_value(|count| *count += 1);
        Upload {
            number: self.count.get_value(),
            name,
            state: ArcRwSignal::new(state),
        }
    }

    fn remove(self, number: u32) {
        self.uploads
            .update(|uploads| uploads.retain(|upload| upload.number != number));
    }
}

/// Files that are dragged; `None` if it is something else, such as words.
pub fn dragged_files(event: &DragEvent) -> Option<FileList> {
    let data = event.data_transfer()?;
    let has_files = data.types().includes(&"Files".into(), 0);
    has_files.then(|| data.files()).flatten()
}

/// Ids of the files that are there.
pub fn ids(uploads: &[Upload]) -> Vec<FileId> {
    uploads
        .iter()
        .filter_map(|upload| match upload.state.get_untracked() {
            UploadState::Done(id) => Some(id),
            UploadState::Going(_) | UploadState::Failed(_) => None,
        })
        .collect()
}

/// The files as chips, each with its way out.
pub fn tray_view(tray: Tray) -> AnyView {
    live(move || {
        let chips: Vec<AnyView> = tray
            .uploads
            .get()
            .into_iter()
            .map(|upload| chip(tray, upload))
            .collect();
        match chips.is_empty() {
            true => ().into_any(),
            false => view! {
                <ul class="attached attached-tray" aria-label="Files of this message">
                    {chips}
                </ul>
            }
            .into_any(),
        }
    })
}

fn chip(tray: Tray, upload: Upload) -> AnyView {
    let Upload {
        number,
        name,
        state,
    } = upload;
    let label = format!("Remove {name}");
    let failed = state.clone();
    let note = move || match state.get() {
        UploadState::Going(percent) => view! {
            <small role="status">{format!("{percent} %")}</small>
        }
        .into_any(),
        UploadState::Done(_) => ().into_any(),
        UploadState::Failed(reason) => view! { <small role="alert">{reason}</small> }.into_any(),
    };
    view! {
        <li
            class="file-chip"
            class:is-failed=move || matches!(failed.get(), UploadState::Failed(_))
        >
            <Icon name="file-text" />
            <span>{name}</span>
            {note}
            <button type="button" aria-label=label on:click=move |_| tray.remove(number)>
                <Icon name="x" class="icon-sm" />
            </button>
        </li>
    }
    .into_any()
}

#[cfg(not(feature = "ssr"))]
mod sending {
    //! `fetch` tells nothing of the progress of a body, so this is the older way.

    use domain::files::File;
    use leptos::prelude::*;
    use wasm_bindgen::JsCast;
    use wasm_bindgen::prelude::*;
    use web_sys::{FormData, ProgressEvent, XmlHttpRequest};

    use super::UploadState;
    use crate::ui::sentence;

    /// Sends a file; `state` tells how it goes.
    pub(super) fn send(file: &web_sys::File, state: ArcRwSignal<UploadState>) {
        if begin(file, &state).is_err() {
            state.set(UploadState::Failed("The browser cannot send it.".into()));
        }
    }

    fn begin(file: &web_sys::File, state: &ArcRwSignal<UploadState>) -> Result<(), JsValue> {
        let form = FormData::new()?;
        form.append_with_blob_and_filename("file", file, &file.name())?;
        let request = XmlHttpRequest::new()?;
        request.open("POST", "/api/v1/files")?;
        let progress = state.clone();
        let on_progress = Closure::<dyn Fn(ProgressEvent)>::new(move |event: ProgressEvent| {
            // All sent is not yet kept.
            let percent = (event.loaded() / event.total().max(1.0) * 99.0) as u32;
            progress.set(UploadState::Going(percent));
        });
        request
            .upload()?
            .set_onprogress(Some(on_progress.as_ref().unchecked_ref()));
        let (ended, answer) = (state.clone(), request.clone());
        let on_end = Closure::<dyn Fn()>::new(move || {
            let _ = &on_progress;
            ended.set(outcome(&answer));
        });
        request.set_onloadend(Some(&on_end.into_js_value().unchecked_into()));
        request.send_with_opt_form_data(Some(&form))
    }

    fn outcome(request: &XmlHttpRequest) -> UploadState {
        let text = request.response_text().ok().flatten().unwrap_or_default();
        if request.status() == Ok(201)
            && let Ok(file) = serde_json::from_str::<File>(&text)
        {
            return match file.is_readable {
                true => UploadState::Done(file.id),
                false => UploadState::Failed("Agents cannot read this file.".into()),
            };
        }
        let problem: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let reason = problem["detail"]
            .as_str()
            .unwrap_or("the server does not answer");
        UploadState::Failed(sentence(reason))
    }
}
