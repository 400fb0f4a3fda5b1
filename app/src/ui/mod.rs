//! The design system: one component per block of `style/kit.css`. Knows no domain words.

mod action_form;
mod avatar;
mod busy;
mod card;
mod delete_dialog;
mod dialog;
mod feedback;
mod field;
mod form;
mod icon;
mod menu;
mod pager;
mod secret_field;
mod table;
mod text;
mod toast;
mod tone;

pub use action_form::{ActionForm, FormAction};
pub use avatar::Avatar;
pub use busy::SubmitButton;
pub use card::{Card, LinkRow};
pub use delete_dialog::DeleteDialog;
pub use dialog::{Dialog, DialogButton, close_dialog};
pub use feedback::{Callout, Empty, EmptyCard, SkeletonRows};
pub use field::{SelectField, TextAreaField, TextField};
pub use form::{FormAlert, FormErrors, focus_first_error};
pub use icon::{Icon, LabelledIcon};
pub use menu::Menu;
pub use pager::Pager;
pub use secret_field::SecretField;
pub use table::TableCard;
pub use text::{grouped, or, price, sentence};
pub use toast::{ToastRegion, provide_toasts, use_toasts};
pub use tone::{Pill, Tone};
