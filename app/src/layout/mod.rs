//! What surrounds the pages: frame, navigation, loading, failures, preferences.

mod data;
mod entrance;
mod failure;
mod frame;
mod loaded;
mod page;
mod preferences;
pub mod server;
mod sidebar;
mod visit;

pub use data::{Data, load, load_by_id, load_page};
pub use entrance::EntranceFrame;
pub use failure::LostPage;
pub use frame::Frame;
pub use loaded::Loaded;
pub use page::{FullPage, Page, PageHead};
#[cfg(feature = "ssr")]
pub use preferences::{NAV, THEME, preference_cookie};
pub use preferences::{NavSwitch, ThemeMenu};
pub use visit::{provide_visit, use_visit};
