//! The conversation's event stream in the browser: opens, reconnects, closes.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use domain::ConversationId;
use domain::events::{HtmlBlock, TextDelta};
use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;
use serde::Deserialize;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{EventSource, MessageEvent};

use crate::call::{Answer, call};
use crate::layout::server::{GetVisit, Visit};
use crate::layout::{Data, use_visit};
use crate::pages::approvals::{ApprovalNews, use_approval_news};
use crate::pages::conversations::live_thread::LiveThread;
use crate::pages::conversations::logged::{self, LOGGED};
use crate::ui::{on_change, tell};

const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Follows a conversation from after hydration until the view goes.
///
/// Gives whether the stream is interrupted.
pub fn follow(thread: LiveThread, id: ConversationId) -> RwSignal<bool> {
    let is_interrupted = RwSignal::new(false);
    let visit = use_visit();
    let page = StoredValue::new(());
    let shown = Shown {
        thread,
        id,
        is_interrupted,
        news: use_approval_news(),
    };
    on_change(move || {
        let stream = Rc::new(RefCell::new(Stream::default()));
        let lost = move || {
            is_interrupted.try_set(true);
            leave_if_signed_out(visit, page);
        };
        open(&stream, shown, Rc::new(lost));
        let stream = StoredValue::new_local(stream);
        on_cleanup(move || {
            stream.try_with_value(|stream| stream.borrow_mut().close());
        });
    });
    is_interrupted
}

/// Has the guard lead to the sign-in page if the session has ended. Whatever else is wrong passes, and
/// the page with what was written on it stays.
fn leave_if_signed_out(visit: Data<Visit>, page: StoredValue<()>) {
    let told = move |answer: Answer| {
        if let Ok(Visit::First | Visit::SignedOut) = answer.read() {
            visit.refetch();
        }
    };
    tell(call(GetVisit {}), page, Rc::new(told));
}

/// The conversation has another title.
#[derive(Deserialize)]
struct NewTitle {
    title: String,
}

/// What the events change.
#[derive(Clone, Copy)]
struct Shown {
    thread: LiveThread,
    id: ConversationId,
    is_interrupted: RwSignal<bool>,
    news: ApprovalNews,
}

/// One connection with its listeners, and the timer of the next.
#[derive(Default)]
struct Stream {
    source: Option<EventSource>,
    listeners: Vec<Closure<dyn FnMut(MessageEvent)>>,
    timer: Option<TimeoutHandle>,
    failures: u32,
    is_closed: bool,
}

impl Stream {
    fn close(&mut self) {
        self.is_closed = true;
        self.drop_source();
        // The listeners hold the stream, which holds them.
        self.listeners.clear();
        if let Some(timer) = self.timer.take() {
            timer.clear();
        }
    }

    fn drop_source(&mut self) {
        if let Some(source) = self.source.take() {
            source.set_onerror(None);
            source.set_onopen(None);
            source.close();
        }
    }

    fn pause(&self) -> Duration {
        let seconds = 1_u64 << self.failures.min(4);
        Duration::from_secs(seconds).min(LONGEST_PAUSE)
    }

    fn listen(&mut self, source: &EventSource, name: &str, handle: impl Fn(String) + 'static) {
        let listener = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            if let Some(data) = event.data().as_string() {
                handle(data);
            }
        });
        // Fails only for a listener that is no function.
        let _ = source.add_event_listener_with_callback(name, listener.as_ref().unchecked_ref());
        self.listeners.push(listener);
    }
}

fn open(stream: &Rc<RefCell<Stream>>, shown: Shown, lost: Rc<dyn Fn()>) {
    let Shown {
        thread,
        id,
        is_interrupted,
        news,
    } = shown;
    if stream.borrow().is_closed {
        return;
    }
    let url = format!(
        "/api/v1/conversations/{id}/events?render=html&after={}",
        thread.last_seq()
    );
    let Ok(source) = EventSource::new(&url) else {
        return;
    };
    let mut current = stream.borrow_mut();
    current.listeners.clear();
    for (name, read) in LOGGED {
        current.listen(&source, name, move |data| {
            if let Ok(event) = logged::event(&data, read) {
                thread.apply(event);
            }
            if name.starts_with("approval_") {
                news.tell();
            }
        });
    }
    current.listen(&source, "text_live", move |data| {
        if let Ok(delta) = serde_json::from_str::<TextDelta>(&data) {
            thread.apply_live(&delta);
        }
    });
    current.listen(&source, "html_live", move |data| {
        if let Ok(block) = serde_json::from_str::<HtmlBlock>(&data) {
            thread.apply_html(block);
        }
    });
    current.listen(&source, "title_live", move |data| {
        if let Ok(named) = serde_json::from_str::<NewTitle>(&data) {
            thread.rename(named.title);
        }
    });
    let opened = Rc::clone(stream);
    let on_open = Closure::<dyn FnMut(MessageEvent)>::new(move |_| {
        if let Ok(mut stream) = opened.try_borrow_mut() {
            stream.failures = 0;
        }
        is_interrupted.try_set(false);
    });
    source.set_onopen(Some(on_open.as_ref().unchecked_ref()));
    current.listeners.push(on_open);
    let failed = Rc::clone(stream);
    let failing = source.clone();
    let on_error = Closure::<dyn FnMut(MessageEvent)>::new(move |_| {
        is_interrupted.try_set(true);
        // While it connects the browser tries by itself; once closed it has given up.
        if failing.ready_state() == EventSource::CLOSED {
            lost();
            reopen_later(&failed, shown, Rc::clone(&lost));
        }
    });
    source.set_onerror(Some(on_error.as_ref().unchecked_ref()));
    current.listeners.push(on_error);
    current.source = Some(source);
}

fn reopen_later(stream: &Rc<RefCell<Stream>>, shown: Shown, lost: Rc<dyn Fn()>) {
    let pause = {
        let mut stream = stream.borrow_mut();
        stream.drop_source();
        let pause = stream.pause();
        stream.failures += 1;
        pause
    };
    let next = Rc::clone(stream);
    let timer = set_timeout_with_handle(move || open(&next, shown, lost), pause);
    if let Ok(timer) = timer {
        stream.borrow_mut().timer = Some(timer);
    }
}
