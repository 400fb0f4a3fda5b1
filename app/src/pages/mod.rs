//! The pages, one folder per feature: views and the server functions they call.

pub mod agents;
pub mod conversations;
pub mod home;
pub mod models;
pub mod runs;
pub mod set_up;
pub mod sign_in;
