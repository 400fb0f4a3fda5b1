//! The Model Context Protocol: clients of tool servers, and the gateway to them.
