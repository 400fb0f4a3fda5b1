//! Conversations: the list, one thread, and its live stream.

mod actions;
mod chooser;
mod composer;
mod deeds;
mod detail;
mod drafts;
mod files;
mod files_page;
mod found;
mod html;
mod list;
mod live_message;
mod live_thread;
mod logged;
mod message;
mod reasoning;
pub mod server;
mod stream;
mod thread_calls;
mod thread_state;
mod thread_view;
mod tool_calls;
mod uploads;

pub use chooser::StartButton;
pub use detail::ConversationPage;
pub use files_page::ConversationFilesPage;
pub use list::ConversationsPage;

#[cfg(feature = "ssr")]
pub use server::{message_form, message_key};
