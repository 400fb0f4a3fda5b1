//! What models write, as HTML that is safe to show: parsed as Markdown, sanitised last.
//!
//! Raw HTML is shown as the text it is, images become links, and nothing is loaded or run. The
//! dashboard gets finished HTML, so that neither a parser nor a highlighter is in the browser.

mod blocks;
mod delimiters;
mod formulas;
mod highlight;
mod live;
mod math_spans;
mod render;
mod sanitizer;
mod whole;

pub(crate) use blocks::Blocks;
pub(crate) use live::{LiveHtml, LiveHtmlWatch, data_of};
pub(crate) use whole::{Markdown, unfinished};
