//! The pages, one folder per feature: views and the server functions they call.

pub mod accounts;
pub mod agents;
pub mod api_keys;
pub mod approvals;
pub mod audit;
pub mod conversations;
pub mod home;
pub mod invitations;
pub mod members;
pub mod models;
pub mod runs;
pub mod set_up;
pub mod settings;
pub mod sign_in;
pub mod tools;
pub mod usage;
