//! Prompts and resources, between the protocol and what is kept of them.

use domain::mcp_servers::{McpOffer, McpOfferArgument};
use rmcp::model::{Prompt, PromptArgument, Resource, ResourceTemplate};

use crate::error::short;

/// Longest name or URI that is taken.
const MAX_NAME_BYTES: usize = 500;
/// Arguments of a prompt that are told.
const MAX_ARGUMENTS: usize = 30;

/// Whether its name can be kept and asked for as it is.
pub(crate) fn is_usable(offer: &McpOffer) -> bool {
    let is_plain = |c: char| !c.is_control();
    (1..=MAX_NAME_BYTES).contains(&offer.name.len()) && offer.name.chars().all(is_plain)
}

pub(crate) fn prompt(prompt: Prompt) -> McpOffer {
    let arguments = prompt.arguments.unwrap_or_default();
    McpOffer {
        name: prompt.name,
        title: prompt.title.as_deref().map(short),
        description: prompt.description.as_deref().map(short),
        mime_type: None,
        size: None,
        arguments: arguments
            .into_iter()
            .take(MAX_ARGUMENTS)
            .map(|argument| McpOfferArgument {
                name: short(&argument.name),
                description: argument.description.as_deref().map(short),
                is_required: argument.required.unwrap_or(false),
            })
            .collect(),
    }
}

pub(crate) fn resource(resource: Resource) -> McpOffer {
    McpOffer {
        name: resource.uri,
        title: Some(short(resource.title.as_deref().unwrap_or(&resource.name))),
        description: resource.description.as_deref().map(short),
        mime_type: resource.mime_type.as_deref().map(short),
        size: resource.size,
        arguments: Vec::new(),
    }
}

pub(crate) fn template(template: ResourceTemplate) -> McpOffer {
    McpOffer {
        name: template.uri_template,
        title: Some(short(template.title.as_deref().unwrap_or(&template.name))),
        description: template.description.as_deref().map(short),
        mime_type: template.mime_type.as_deref().map(short),
        size: None,
        arguments: Vec::new(),
    }
}

/// A prompt by the name that callers see.
pub(crate) fn to_prompt(name: String, offer: &McpOffer) -> Prompt {
    let arguments: Vec<_> = offer
        .arguments
        .iter()
        .map(|argument| {
            let mut shown = PromptArgument::new(&argument.name).with_required(argument.is_required);
            shown.description = argument.description.clone();
            shown
        })
        .collect();
    let arguments = (!arguments.is_empty()).then_some(arguments);
    let mut prompt = Prompt::new(name, offer.description.clone(), arguments);
    prompt.title = offer.title.clone();
    prompt
}

/// A resource by the URI that callers see.
pub(crate) fn to_resource(uri: String, offer: &McpOffer) -> Resource {
    let label = offer.title.clone().unwrap_or_else(|| offer.name.clone());
    let mut resource = Resource::new(uri, label);
    resource.description = offer.description.clone();
    resource.mime_type = offer.mime_type.clone();
    resource.size = offer.size;
    resource
}

/// A template by the URIs that callers see.
pub(crate) fn to_template(uri: String, offer: &McpOffer) -> ResourceTemplate {
    let label = offer.title.clone().unwrap_or_else(|| offer.name.clone());
    let mut template = ResourceTemplate::new(uri, label);
    template.description = offer.description.clone();
    template.mime_type = offer.mime_type.clone();
    template
}
