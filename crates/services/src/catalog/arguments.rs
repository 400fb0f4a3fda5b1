//! The command line of a package's program.

use std::collections::BTreeMap;

use super::file::{ArgumentFile, InputFile};
use super::settings::Settings;
use super::template::Template;

/// A part of a command line.
pub(super) enum Argument {
    /// A word, behind its name if it has one; nothing unless all its settings are given.
    Word {
        /// Stands before it.
        name: Option<String>,
        /// What it is.
        text: Template,
    },
    /// A word for each line of its setting, each behind the name if it has one.
    Words {
        /// Stands before each.
        name: Option<String>,
        /// The setting.
        setting: String,
    },
    /// A name that stands there if its setting is `true`.
    Flag {
        /// The name.
        name: String,
        /// The setting.
        setting: String,
        /// Whether the program does it anyway unless it is told not to.
        is_usual: bool,
    },
}

impl Argument {
    /// Reads an argument, the `position`th of its program.
    pub(super) fn read(
        position: usize,
        argument: &ArgumentFile,
        settings: &mut Settings,
    ) -> Result<Self, String> {
        let input = &argument.input;
        let name = match argument.kind.as_deref() {
            Some("positional") => None,
            None if input.name.is_empty() => None,
            _ if input.name.is_empty() => return Err("an argument has no name".to_owned()),
            Some("named") | None => Some(input.name.clone()),
            Some(other) => return Err(format!("an argument is {other}, which is not known")),
        };
        let called = match (&name, &argument.value_hint) {
            (Some(name), _) => name.clone(),
            (None, Some(hint)) if !hint.is_empty() => hint.clone(),
            (None, _) => format!("argument-{position}"),
        };
        if let Some(name) = &name {
            if is_bare(input) {
                return Ok(Self::Word {
                    name: None,
                    text: Template::fixed(name),
                });
            }
            if input.value.is_none() && input.format.as_deref() == Some("boolean") {
                return Ok(Self::Flag {
                    name: name.clone(),
                    setting: settings.ask(&called, input)?,
                    is_usual: input.default.as_deref() == Some("true"),
                });
            }
        }
        let secret = || {
            Err(format!(
                "its argument {called} is secret, but everybody can read a command; only \
                 variables of the environment and headers are kept secret"
            ))
        };
        if input.is_secret {
            return secret();
        }
        if argument.is_repeated && input.value.is_none() {
            let setting = settings.ask_for_lines(&called, input)?;
            return Ok(Self::Words { name, setting });
        }
        let text = settings.text(&called, input)?;
        if settings.is_secret(&text) {
            return secret();
        }
        Ok(Self::Word { name, text })
    }

    /// What stands in the command line.
    pub(super) fn words(&self, values: &BTreeMap<String, String>) -> Vec<String> {
        match self {
            Self::Word { name, text } => match text.filled(values) {
                Some(text) => name.iter().cloned().chain([text]).collect(),
                None => Vec::new(),
            },
            Self::Words { name, setting } => {
                let lines = values.get(setting).map(String::as_str).unwrap_or_default();
                let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
                let words = |line: &str| name.iter().cloned().chain([line.to_owned()]).collect();
                lines.flat_map::<Vec<String>, _>(words).collect()
            }
            Self::Flag {
                name,
                setting,
                is_usual,
            } => match (values.get(setting).map(String::as_str), is_usual) {
                (Some("true"), _) => vec![name.clone()],
                (Some("false"), true) => vec![format!("{name}=false")],
                _ => Vec::new(),
            },
        }
    }

    /// What stands for it in an address that names it.
    pub(super) fn text(&self) -> Option<&Template> {
        match self {
            Self::Word { text, .. } => Some(text),
            Self::Words { .. } | Self::Flag { .. } => None,
        }
    }
}

/// A name and nothing else: a flag that always stands there.
fn is_bare(input: &InputFile) -> bool {
    let is_said = |text: &Option<String>| text.is_some();
    !(is_said(&input.value)
        || is_said(&input.format)
        || is_said(&input.default)
        || input.is_required
        || input.is_secret
        || !input.description.is_empty()
        || !input.placeholder.is_empty()
        || !input.choices.is_empty())
}

/// What a package's runtime (`docker run`, `npx`, `uvx`) is told before the package.
///
/// Answers the variables of the environment among it. The rest is either how servers are run here
/// anyway or, if it can be left out, left out.
///
/// # Errors
/// What cannot be done, in words.
pub(super) fn runtime_environment(
    registry_type: &str,
    arguments: &[ArgumentFile],
) -> Result<Vec<InputFile>, String> {
    let mut variables = Vec::new();
    for argument in arguments {
        let input = &argument.input;
        let said = match input.name.is_empty() {
            true => input.value.as_deref().unwrap_or_default(),
            false => &input.name,
        };
        let is_done_anyway = match registry_type {
            "oci" => ["run", "-i", "--interactive", "--rm", "--init", "-it"].contains(&said),
            "npm" => ["-y", "--yes"].contains(&said),
            _ => false,
        };
        let is_given = input.value.is_some() || input.default.is_some();
        let is_optional = !input.is_required && !is_given && !is_bare(input);
        let assignment = input
            .value
            .as_deref()
            .and_then(|value| value.split_once('='));
        match assignment.filter(|_| registry_type == "oci" && ["-e", "--env"].contains(&said)) {
            Some((name, value)) => variables.push(InputFile {
                name: name.to_owned(),
                value: Some(value.to_owned()),
                ..input.clone()
            }),
            None if is_done_anyway || is_optional => {}
            None => {
                let said: String = said.chars().take(40).collect();
                return Err(format!(
                    "it is to be started with {said}, which is not done here"
                ));
            }
        }
    }
    Ok(variables)
}
