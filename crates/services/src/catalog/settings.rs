//! What people fill in for a server, gathered from all places of its file that ask for something.

use std::collections::BTreeMap;

use domain::containers::CatalogSetting;

use super::file::InputFile;
use super::template::Template;

/// The settings of one server, in the order of its file; no two have one name.
#[derive(Default)]
pub(super) struct Settings(Vec<CatalogSetting>);

impl Settings {
    pub(super) fn into_list(self) -> Vec<CatalogSetting> {
        self.0
    }

    /// What an input becomes: its fixed value, with settings for the variables in it, or else one
    /// setting with this name.
    pub(super) fn text(&mut self, name: &str, input: &InputFile) -> Result<Template, String> {
        let Some(value) = &input.value else {
            return Ok(Template::setting(self.ask(name, input)?));
        };
        Template::read(value, |variable| match input.variables.get(variable) {
            Some(found) => self.variable(name, variable, found, input).map(Some),
            None => Ok(None),
        })
    }

    /// Adds a setting for an input without a value; answers its name.
    pub(super) fn ask(&mut self, name: &str, input: &InputFile) -> Result<String, String> {
        let setting = setting(name, input)?;
        self.add(setting)
    }

    /// Adds a setting that takes several values, one a line; answers its name.
    pub(super) fn ask_for_lines(
        &mut self,
        name: &str,
        input: &InputFile,
    ) -> Result<String, String> {
        let mut setting = setting(name, input)?;
        setting.kind = "lines".to_owned();
        self.add(setting)
    }

    /// What stands for a variable of `owner`; one that several use is asked for once.
    pub(super) fn variable(
        &mut self,
        owner_name: &str,
        name: &str,
        input: &InputFile,
        owner: &InputFile,
    ) -> Result<Template, String> {
        if let Some(value) = &input.value {
            return Ok(Template::fixed(value));
        }
        let mut setting = setting(name, input)?;
        setting.is_required |= owner.is_required;
        setting.is_secret |= owner.is_secret;
        if self.0.contains(&setting) {
            return Ok(Template::setting(setting.name));
        }
        if self.find(name).is_some() {
            setting.name = format!("{owner_name}.{name}");
        }
        Ok(Template::setting(self.add(setting)?))
    }

    /// Settings that a text cannot do without must be given.
    pub(super) fn require(&mut self, template: &Template) {
        for name in template.settings() {
            if let Some(setting) = self.0.iter_mut().find(|known| known.name == name) {
                setting.is_required = true;
            }
        }
    }

    /// A text that begins with a setting and must be an address: so must be the setting.
    pub(super) fn begins_as_address(&mut self, template: &Template) {
        let first = template
            .settings()
            .next()
            .filter(|_| template.begins_with_setting());
        let first = self
            .0
            .iter_mut()
            .find(|known| Some(known.name.as_str()) == first);
        if let Some(first) = first {
            first.kind = "url".to_owned();
        }
    }

    /// Whether something in a text is to be kept secret.
    pub(super) fn is_secret(&self, template: &Template) -> bool {
        let is_secret = |name| self.find(name).is_some_and(|setting| setting.is_secret);
        template.settings().any(is_secret)
    }

    fn find(&self, name: &str) -> Option<&CatalogSetting> {
        self.0.iter().find(|known| known.name == name)
    }

    fn add(&mut self, mut setting: CatalogSetting) -> Result<String, String> {
        let name = setting.name.clone();
        let mut count = 1;
        while self.find(&setting.name).is_some() {
            count += 1;
            setting.name = format!("{name}-{count}");
        }
        let name = setting.name.clone();
        self.0.push(setting);
        match self.0.len() <= domain::containers::MAX_VARIABLES {
            true => Ok(name),
            false => Err("it asks for more than 50 settings".to_owned()),
        }
    }
}

/// Values that try all settings out.
pub(super) fn samples(settings: &[CatalogSetting]) -> BTreeMap<String, domain::Secret> {
    settings
        .iter()
        .map(|setting| (setting.name.clone(), domain::Secret::new(sample(setting))))
        .collect()
}

/// The value that tries a setting out.
fn sample(setting: &CatalogSetting) -> String {
    let of_kind = match setting.kind.as_str() {
        "boolean" => "true",
        "url" => "https://example.com",
        _ => "1",
    };
    let given = setting.default.as_ref().or(setting.choices.first());
    given.cloned().unwrap_or_else(|| of_kind.to_owned())
}

fn setting(name: &str, input: &InputFile) -> Result<CatalogSetting, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !(1..=100).contains(&name.len()) || !name.chars().all(is_plain) {
        let shown: String = name.chars().take(40).collect();
        return Err(format!("{shown:?} cannot be the name of a setting"));
    }
    let mut description = input.description.clone();
    if !input.placeholder.is_empty() {
        let gap = if description.is_empty() { "" } else { " " };
        description.push_str(&format!("{gap}(for example {})", input.placeholder));
    }
    let kind = match input.format.as_deref() {
        // Of the server's own machine: nothing of anybody else's is there.
        None | Some("filepath") => "string",
        Some(format) => format,
    };
    Ok(CatalogSetting {
        name: name.to_owned(),
        description,
        kind: kind.to_owned(),
        is_required: input.is_required,
        is_secret: input.is_secret,
        default: input.default.clone(),
        choices: input.choices.clone(),
    })
}
