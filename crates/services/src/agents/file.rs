//! Agents as YAML files: names in place of ids.

use domain::agents::{
    AgentConfig, AgentFile, FILE_FORMAT, FiledModel, FiledTool, MAX_FILE_BYTES, ModelChoice,
};
use domain::conversations::Export;
use domain::tools::AgentTool;
use domain::{Error, FieldErrors};

use super::names::Names;

/// Writes an agent.
///
/// # Errors
/// `Conflict` if it refers to something that is gone.
pub(super) fn export(config: AgentConfig, names: &Names) -> Result<Export, Error> {
    let file_name = file_name(&config.name);
    let file = file(config, names)?;
    Ok(Export {
        file_name,
        content_type: "application/yaml",
        content: yaml(&file).map_err(|error| crate::internal(&error))?,
    })
}

/// Reads a file.
///
/// # Errors
/// `Invalid` naming `file`, or the field where the file goes wrong.
pub(super) fn read(text: &str) -> Result<AgentFile, Error> {
    if text.len() > MAX_FILE_BYTES {
        return Err(Error::invalid("file", "must have at most 512 KiB"));
    }
    if text.trim().is_empty() {
        return Err(Error::invalid("file", "is empty"));
    }
    let yaml = serde_yaml_ng::Deserializer::from_str(text);
    let file: AgentFile = serde_path_to_error::deserialize(yaml).map_err(|error| {
        let path = error.path().to_string();
        let message = error.inner().to_string();
        if path == "." {
            return Error::invalid("file", message);
        }
        // The message begins with the path as well.
        let message = message
            .strip_prefix(&format!("{path}: "))
            .unwrap_or(&message);
        Error::invalid(&path, message)
    })?;
    if file.format != FILE_FORMAT {
        let message = format!("must be {FILE_FORMAT}");
        return Err(Error::invalid("format", message));
    }
    Ok(file)
}

/// What a file says, with the ids of this workspace.
///
/// # Errors
/// `Invalid` naming everything that this workspace does not have.
pub(super) fn config(file: AgentFile, names: &Names) -> Result<AgentConfig, Error> {
    let mut errors = FieldErrors::default();
    let model = model(&file.model, "model", names, &mut errors);
    let fallbacks = file.fallbacks.iter().enumerate().filter_map(|(index, it)| {
        let field = format!("fallbacks[{index}]");
        self::model(it, &field, names, &mut errors)
    });
    let fallbacks: Vec<ModelChoice> = fallbacks.collect();
    let tools = file.tools.into_iter().enumerate().map(|(index, it)| {
        let field = format!("tools[{index}].server");
        tool(it, &field, names, &mut errors)
    });
    let tools: Vec<AgentTool> = tools.collect();
    errors.finish()?;
    Ok(AgentConfig {
        name: file.name,
        description: file.description,
        tags: file.tags,
        instructions: file.instructions,
        model: model.ok_or_else(|| Error::invalid("model", "is required"))?,
        fallbacks,
        tools,
        limits: file.limits,
        conversation_titles: file.conversation_titles,
        output_schema: file.output_schema,
    })
}

/// Wrong fields under their names in the file.
pub(super) fn as_named(error: Error) -> Error {
    match error {
        Error::Invalid { mut fields } => {
            for wrong in &mut fields {
                for (id, name) in [(".connection_id", ".connection"), (".server_id", ".server")] {
                    if let Some(start) = wrong.field.strip_suffix(id) {
                        wrong.field = format!("{start}{name}");
                    }
                }
                wrong.message = wrong.message.replace("server_id", "server");
            }
            Error::Invalid { fields }
        }
        error => error,
    }
}

fn model(
    filed: &FiledModel,
    field: &str,
    names: &Names,
    errors: &mut FieldErrors,
) -> Option<ModelChoice> {
    let found = names.find_connection(&filed.connection);
    if found.is_none() {
        let name = &filed.connection;
        let message =
            format!("there is no model connection called \u{201c}{name}\u{201d} in this workspace");
        errors.push(&format!("{field}.connection"), message);
    }
    Some(ModelChoice {
        connection_id: found?,
        name: filed.name.clone(),
        temperature: filed.temperature,
        max_output_tokens: filed.max_output_tokens,
    })
}

/// Whether the server still offers the tool may change at any time, so that is not asked.
fn tool(filed: FiledTool, field: &str, names: &Names, errors: &mut FieldErrors) -> AgentTool {
    let server_id = filed.server.as_deref().and_then(|name| {
        let found = names.find_server(name);
        if found.is_none() {
            let message =
                format!("there is no tool server called \u{201c}{name}\u{201d} in this workspace");
            errors.push(field, message);
        }
        found
    });
    AgentTool {
        server_id,
        name: filed.name,
        builtin: filed.builtin,
        approval: filed.approval,
    }
}

fn file(config: AgentConfig, names: &Names) -> Result<AgentFile, Error> {
    let gone = |what: &str| {
        let message = format!("this agent uses a {what} that was deleted; choose another first");
        Error::conflict(message)
    };
    let model = |choice: &ModelChoice| {
        let connection = names.connection(choice.connection_id);
        Ok(FiledModel {
            connection: connection
                .ok_or_else(|| gone("model connection"))?
                .to_owned(),
            name: choice.name.clone(),
            temperature: choice.temperature,
            max_output_tokens: choice.max_output_tokens,
        })
    };
    let tool = |tool: AgentTool| {
        let server = match tool.server_id {
            Some(id) => Some(names.server(id).ok_or_else(|| gone("tool server"))?),
            None => None,
        };
        Ok(FiledTool {
            server: server.map(str::to_owned),
            name: tool.name,
            builtin: tool.builtin,
            approval: tool.approval,
        })
    };
    Ok(AgentFile {
        format: FILE_FORMAT.to_owned(),
        name: config.name,
        description: config.description,
        tags: config.tags,
        instructions: config.instructions,
        model: model(&config.model)?,
        fallbacks: config
            .fallbacks
            .iter()
            .map(model)
            .collect::<Result<_, Error>>()?,
        tools: config
            .tools
            .into_iter()
            .map(tool)
            .collect::<Result<_, Error>>()?,
        limits: config.limits,
        conversation_titles: config.conversation_titles,
        output_schema: config.output_schema,
    })
}

/// The file, such that reading it gives exactly the same.
fn yaml(file: &AgentFile) -> anyhow::Result<String> {
    let text = serde_yaml_ng::to_string(file)?;
    let read = serde_yaml_ng::from_str::<AgentFile>(&text);
    if read.is_ok_and(|read| read == *file) {
        return Ok(text);
    }
    // Block texts know only one kind of line end. JSON is YAML, too, and quotes every other.
    let mut text = serde_json::to_string_pretty(file)?;
    for break_like in [
        '\u{7f}', '\u{85}', '\u{a0}', '\u{2028}', '\u{2029}', '\u{feff}',
    ] {
        text = text.replace(break_like, &format!("\\u{:04x}", u32::from(break_like)));
    }
    text.push('\n');
    Ok(text)
}

/// `release-scout.yaml`
fn file_name(name: &str) -> String {
    let words = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    let words: Vec<String> = words.map(str::to_ascii_lowercase).collect();
    match words.is_empty() {
        true => "agent.yaml".to_owned(),
        false => format!("{}.yaml", words.join("-")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Texts that a careless writer would change.
    const TRICKY: [&str; 16] = [
        "",
        "one line",
        "two\nlines",
        "an end\n",
        "ends\n\n\n",
        "\n\nbegins late",
        "   indented\n  less\n",
        "trailing blanks  \nand a tab\t\n",
        "windows\r\nlines\r\n",
        "- list: of\n- [things]\n# and no comment",
        "yes",
        "2026-11-26",
        "0x1F",
        "quotes ' \" and \\ slashes",
        "emoji \u{1f980} and breaks \u{85}\u{2028}\u{2029}\u{feff}",
        "bell \u{7} and del \u{7f}\nend",
    ];

    #[test]
    fn any_text_survives_the_round_trip() {
        for text in TRICKY {
            let file = AgentFile {
                format: FILE_FORMAT.to_owned(),
                name: "Scout".to_owned(),
                description: text.to_owned(),
                tags: vec!["true".to_owned(), "1".to_owned()],
                instructions: text.to_owned(),
                model: FiledModel {
                    connection: text.to_owned(),
                    name: "7".to_owned(),
                    temperature: Some(0.7),
                    max_output_tokens: Some(1),
                },
                fallbacks: Vec::new(),
                tools: Vec::new(),
                limits: Default::default(),
                conversation_titles: Default::default(),
                output_schema: Some(json!({"const": text, "multipleOf": 0.1})),
            };

            let written = yaml(&file).expect("YAML");

            assert_eq!(read(&written).expect("readable"), file, "{written}");
        }
    }

    #[test]
    fn several_documents_and_bombs_are_refused() {
        let bomb = "a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\n";
        for text in ["name: a\n---\nname: b\n", bomb, "[]", "name: [", "\t"] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }
}
