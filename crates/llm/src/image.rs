//! Pictures as text, for providers that take them inside JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::Image;

/// The picture as base64.
pub(crate) fn base64(image: &Image) -> String {
    STANDARD.encode(&image.bytes)
}

/// The picture as a `data:` address.
pub(crate) fn data_url(image: &Image) -> String {
    format!("data:{};base64,{}", image.media_type, base64(image))
}
