//! What surrounds the pages: frame, navigation, loading, failures, preferences.

mod allowed;
mod awaited;
mod credentials;
mod data;
mod entrance;
mod failure;
mod frame;
mod list_page;
mod loaded;
mod page;
mod preferences;
pub mod server;
mod sidebar;
mod visit;

pub use allowed::{Allowed, may, may_soon};
pub use awaited::awaited;
pub use credentials::{CredentialFields, load_page_at, load_when_done};
pub use data::{Data, load, load_by_id, load_by_query, load_by_token, load_page, load_page_by_id};
pub use entrance::EntranceFrame;
pub use failure::{Failure, LostPage, Obstacle};
pub use frame::Frame;
pub use list_page::{ListPage, NewButton};
pub use loaded::{Loaded, LoadedPage};
pub use page::{FullPage, Page, PageHead, PageSkeleton};
#[cfg(feature = "ssr")]
pub use preferences::{NAV, THEME, preference_cookie};
pub use preferences::{NavSwitch, ThemeMenu};
pub use visit::{open_membership, provide_visit, use_visit};
