//! Runs tool servers in isolated containers.
