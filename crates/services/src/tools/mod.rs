//! What agents can do: the tools of a run, and those inside this program.

mod arguments;
mod builtin;
mod server_tools;
mod toolbox;

pub(crate) use arguments::{Arguments, Schema, check_schema};
pub(crate) use builtin::{Builtins, ConversationFiles};
pub(crate) use server_tools::ServerTools;
pub(crate) use toolbox::RunToolbox;
