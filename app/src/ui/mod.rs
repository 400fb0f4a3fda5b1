//! The design system: one component per block of `style/kit.css`. Knows no domain words.

mod action_form;
mod avatar;
mod busy;
mod card;
mod copy;
mod delete_dialog;
mod dialog;
mod effect;
mod feedback;
mod field;
mod form;
mod icon;
mod live;
mod menu;
mod pager;
mod secret_field;
mod section;
mod shown_once;
mod table;
mod text;
mod toast;
mod tone;

pub use action_form::{ActionForm, FieldsForm, FormAction};
pub use avatar::Avatar;
pub use busy::SubmitButton;
pub use card::{Card, LinkRow};
pub use copy::{copy_text, show_copied};
pub use delete_dialog::DeleteDialog;
pub use dialog::{Dialog, DialogButton, close_dialog};
pub use effect::{every, on_change, when_done};
pub use feedback::{Callout, Empty, EmptyCard, SkeletonRows};
pub use field::{SelectField, TextAreaField, TextField, escaped};
pub use form::{FormAlert, FormErrors, focus_first_error, reset_form};
pub use icon::{Icon, LabelledIcon};
pub use live::live;
pub use menu::Menu;
pub use pager::Pager;
pub use secret_field::SecretField;
pub use section::Section;
pub use shown_once::{NeedsScript, ShownOnce};
pub use table::TableCard;
#[cfg(feature = "ssr")]
pub use text::micros;
pub use text::{capitalized, grouped, or, price, sentence};
pub use toast::{ToastRegion, provide_toasts, use_toasts};
pub use tone::{Pill, Tone};
