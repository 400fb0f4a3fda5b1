//! Forms that call a server function, with and without JavaScript.

use std::marker::PhantomData;

use domain::Error;
use leptos::ev::SubmitEvent;
use leptos::html;
use leptos::prelude::*;
use leptos::server::ServerActionError;
use leptos::server_fn::error::ServerFnUrlError;

use crate::call::{Answer, Call};
use crate::ui::{FormAlert, FormErrors, SubmitButton, focus_first_error};

/// Calls of the server function `S`, and the last answer.
pub struct FormAction<S> {
    calls: Calls,
    of: PhantomData<fn() -> S>,
}

impl<S> Clone for FormAction<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for FormAction<S> {}

impl<S: Call> FormAction<S> {
    /// Nothing was sent yet, except by a plain form whose error the address carries.
    pub fn new() -> Self {
        Self {
            calls: Calls::new(S::PATH),
            of: PhantomData,
        }
    }

    /// Calls the function; also while another call is on its way.
    pub fn send(self, input: S) {
        #[cfg(not(feature = "ssr"))]
        self.calls.follow(crate::call::call(input));
        // The server sends nothing: it renders.
        #[cfg(feature = "ssr")]
        let _ = input;
    }

    /// Sends a form that stands elsewhere, unless its last answer is still on its way.
    pub fn submit(self, event: &SubmitEvent) {
        self.calls.submit(event);
    }

    /// Whether an answer is on its way.
    pub fn pending(self) -> Signal<bool> {
        self.calls.pending()
    }

    /// Whether the last answer was no error.
    pub fn has_succeeded(self) -> Signal<bool> {
        self.calls.has_succeeded()
    }

    /// The last answer.
    pub fn value(self) -> Signal<Option<Result<S::Output, Error>>> {
        let answer = self.calls.answer;
        Signal::derive(move || answer.get().map(|answer| answer?.read()))
    }

    /// Whether the last answer was an error, untracked.
    pub fn has_failed(self) -> bool {
        self.calls
            .answer
            .with_untracked(|answer| matches!(answer, Some(Err(_))))
    }

    /// Forgets the last answer, and what was wrong with it.
    pub fn forget(self) {
        self.calls.answer.set(None);
    }

    /// What was wrong with the last call.
    pub fn errors(self) -> FormErrors {
        self.calls.errors()
    }
}

/// A form whose fields are the input of a server function.
#[component]
pub fn ActionForm<S: Call>(
    /// The function.
    action: FormAction<S>,
    /// Content of the form.
    children: Children,
) -> impl IntoView {
    form(action.calls, children)
}

/// A form of labelled fields with one button, and what was wrong with the last answer.
///
/// The first wrong field gets the focus.
#[component]
pub fn FieldsForm<S: Call>(
    /// The function.
    action: FormAction<S>,
    /// Fields that show their own error.
    fields: &'static [&'static str],
    /// Words of the button.
    button: &'static str,
    /// Classes of the button.
    #[prop(default = "btn btn-primary")]
    class: &'static str,
    /// Address of the link beside it.
    #[prop(optional)]
    back: &'static str,
    /// Words of the link.
    #[prop(default = "Cancel")]
    back_label: &'static str,
    /// Words of a second button, which sends `test=true` with the rest.
    #[prop(optional)]
    test: &'static str,
    /// The fields.
    children: Children,
) -> impl IntoView {
    let back = (!back.is_empty()).then(|| {
        view! {
            <a class="btn btn-ghost" href=back>
                {back_label}
            </a>
        }
        .into_any()
    });
    let back = match test {
        "" => back,
        words => Some((test_button(action.calls, words), back).into_any()),
    };
    fields_form(action.calls, fields, (button, class), back, children)
}

fn fields_form(
    calls: Calls,
    fields: &'static [&'static str],
    (button, class): (&'static str, &'static str),
    back: Option<AnyView>,
    children: Children,
) -> AnyView {
    let errors = calls.errors();
    let node = NodeRef::<html::Div>::new();
    focus_first_error(node, errors);
    let content = move || {
        view! {
            <div class="grid gap-4 max-w-(--container-form)" node_ref=node>
                <FormAlert errors fields />
                {children()}
                <div class="toolbar">
                    <SubmitButton class is_busy=calls.pending()>{button}</SubmitButton>
                    {back}
                </div>
            </div>
        }
        .into_any()
    };
    form(calls, Box::new(content))
}

fn test_button(calls: Calls, words: &'static str) -> AnyView {
    let pending = calls.pending();
    view! {
        <button
            class="btn btn-secondary"
            name="test"
            value="true"
            disabled=move || pending.get()
        >
            {words}
        </button>
    }
    .into_any()
}

/// The part that does not depend on the function.
pub(super) fn form(calls: Calls, children: Children) -> AnyView {
    let on_submit = move |event: SubmitEvent| {
        if !event.default_prevented() {
            event.prevent_default();
            calls.submit(&event);
        }
    };
    view! {
        <form method="post" action=calls.path on:submit=on_submit>
            {children()}
        </form>
    }
    .into_any()
}

/// Calls of one function, whatever its type.
#[derive(Clone, Copy)]
pub(super) struct Calls {
    path: &'static str,
    answer: RwSignal<Option<Result<Answer, Error>>>,
    pending: RwSignal<u32>,
}

impl Calls {
    pub(super) fn new(path: &'static str) -> Self {
        let error = use_context::<ServerActionError>()
            .filter(|error| error.path() == path)
            .map(|error| Err(ServerFnUrlError::decode_err(error.err())));
        Self {
            path,
            answer: RwSignal::new(error),
            pending: RwSignal::new(0),
        }
    }

    pub(super) fn pending(self) -> Signal<bool> {
        Signal::derive(move || self.pending.get() > 0)
    }

    pub(super) fn has_succeeded(self) -> Signal<bool> {
        Signal::derive(move || self.answer.with(|answer| matches!(answer, Some(Ok(_)))))
    }

    pub(super) fn errors(self) -> FormErrors {
        FormErrors::of(Signal::derive(move || {
            self.answer
                .with(|answer| answer.as_ref()?.as_ref().err().cloned())
        }))
    }

    #[cfg(feature = "ssr")]
    fn submit(self, _: &SubmitEvent) {}

    /// Sends a form, unless its last answer is still on its way.
    #[cfg(not(feature = "ssr"))]
    fn submit(self, event: &SubmitEvent) {
        if self.pending.get_untracked() > 0 {
            return;
        }
        match fields(event) {
            Some(fields) => self.follow(crate::call::post(self.path, fields)),
            None => {
                let text = "the form cannot be read; load the page again";
                self.answer.set(Some(Err(Error::unavailable(text))));
            }
        }
    }

    #[cfg(not(feature = "ssr"))]
    fn follow(self, calling: crate::call::Calling) {
        self.pending.update(|pending| *pending += 1);
        leptos::task::spawn_local(async move {
            let answer = calling.await;
            // The page may be gone by now.
            self.pending.try_update(|pending| *pending -= 1);
            self.answer.try_set(Some(answer));
        });
    }
}

/// The fields of a form, as it would send them itself.
#[cfg(not(feature = "ssr"))]
fn fields(event: &SubmitEvent) -> Option<String> {
    let data = leptos::form::form_data_from_event(event).ok()?;
    let fields = web_sys::UrlSearchParams::new_with_str_sequence_sequence(&data).ok()?;
    fields.to_string().as_string()
}
