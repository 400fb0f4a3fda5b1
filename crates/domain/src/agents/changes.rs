//! What a version changed of the one before.

use serde::{Deserialize, Serialize};

use crate::{Timestamp, UserId};

/// A version and its difference to the one before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VersionChanges {
    /// Number of the version, from 1.
    pub version: u32,
    /// Who saved it.
    pub author_id: UserId,
    /// Name of that person now, or the address.
    pub author: String,
    /// When it was saved.
    pub created_at: Timestamp,
    /// What is different, in the order of the form; empty for version 1.
    pub changes: Vec<FieldChange>,
}

/// A field that a version changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldChange {
    /// Path of the field: `name`, `model`, `fallbacks[0]`, `tools`, `limits.max_seconds`. Each
    /// tool that was added, taken away or set otherwise is a change of its own.
    pub field: String,
    /// What it was, in words; empty for nothing.
    pub before: String,
    /// What it is, in words; empty for nothing.
    pub after: String,
    /// The difference line by line, for texts of several lines; empty for other fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<DiffLine>,
}

/// A line of a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DiffLine {
    /// What became of it.
    pub kind: LineKind,
    /// Its number before, from 1; `None` if it was not there.
    pub before: Option<u32>,
    /// Its number now, from 1; `None` if it is gone.
    pub after: Option<u32>,
    /// The line, without its end. Of a gap: how many lines are left out.
    pub text: String,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// It is as it was.
    Same,
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Lines that are as they were, left out.
    Gap,
}
