//! Schemas of types that are written as plain text.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaFormat, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::audit::Deed;
use crate::{Secret, Timestamp};

/// Makes a type a text of some format.
macro_rules! plain {
    ($type:ty: $format:literal, $description:literal) => {
        impl utoipa::PartialSchema for $type {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                crate::openapi::text($format, $description)
            }
        }

        impl utoipa::ToSchema for $type {}
    };
}
pub(crate) use plain;

pub(crate) fn text(format: &str, description: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .format(Some(SchemaFormat::Custom(format.to_owned())))
        .description(Some(description))
        .into()
}

plain!(Timestamp: "date-time", "A moment in UTC, with milliseconds.");
plain!(Secret: "password", "Only ever taken, never given out.");

impl PartialSchema for Deed {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .enum_values(Some(Self::ALL.iter().map(|deed| deed.as_str())))
            .into()
    }
}

impl ToSchema for Deed {}
