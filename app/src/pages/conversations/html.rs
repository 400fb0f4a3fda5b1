//! HTML of answers in the page. It comes from our server, sanitised there.

use domain::MessageId;
use domain::events::HtmlBlock;
use leptos::prelude::*;

/// Id of the element that holds an answer's blocks.
pub fn element_id(id: MessageId) -> String {
    format!("html-{id}")
}

/// Puts a block where it belongs, and removes what is behind it; touches nothing that stays.
///
/// `false` if the whole must be set: it is not what its blocks have made.
pub fn show_block(block: &HtmlBlock) -> bool {
    let Some(element) = document().get_element_by_id(&element_id(block.message_id)) else {
        return false;
    };
    if block.is_whole {
        return element.inner_html() == block.html;
    }
    let children = element.children();
    while children.length() as usize <= block.block {
        let Ok(child) = document().create_element("div") else {
            return true;
        };
        child.set_class_name("md-block");
        if element.append_child(&child).is_err() {
            return true;
        }
    }
    while children.length() as usize > block.block + 1 {
        if let Some(last) = element.last_element_child() {
            last.remove();
        }
    }
    if let Some(child) = element.last_element_child() {
        child.set_inner_html(&block.html);
    }
    true
}
