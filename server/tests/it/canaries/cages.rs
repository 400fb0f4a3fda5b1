//! Secrets, and where they must not be.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Secrets, and texts that must hold none of them.
#[derive(Default)]
pub(super) struct Cages {
    pub(super) secrets: Vec<(String, Vec<String>)>,
    pub(super) texts: Vec<(String, String)>,
}

impl Cages {
    /// A new secret.
    pub(super) fn plant(&mut self, name: &str) -> String {
        let secret = format!("canary{}", uuid::Uuid::new_v4().simple());
        self.plant_this(name, &secret);
        secret
    }

    pub(super) fn plant_this(&mut self, name: &str, secret: &str) {
        assert!(secret.len() >= 16, "{name}");
        // Its head says what it is and may be shown.
        let forms = vec![
            secret.to_owned(),
            secret[secret.len() - 16..].to_owned(),
            hex(secret.as_bytes()),
            STANDARD.encode(secret),
        ];
        self.secrets.push((name.to_owned(), forms));
    }

    pub(super) fn plant_master_key(&mut self, name: &str, text: &str) {
        let bytes = STANDARD.decode(text.trim()).expect("base64");
        let debug: Vec<String> = bytes.iter().take(8).map(u8::to_string).collect();
        let forms = vec![text.trim().to_owned(), hex(&bytes), debug.join(", ")];
        self.secrets.push((name.to_owned(), forms));
    }

    pub(super) fn see(&mut self, name: &str, text: &str) {
        self.texts.push((name.to_owned(), text.to_owned()));
    }

    pub(super) fn escaped(&self) -> Vec<String> {
        let mut escaped = Vec::new();
        for (place, text) in &self.texts {
            for (name, forms) in &self.secrets {
                if let Some(at) = forms.iter().find_map(|form| text.find(form.as_str())) {
                    let start = text[..at]
                        .char_indices()
                        .rev()
                        .nth(160)
                        .map_or(0, |(at, _)| at);
                    let around: String = text[start..].chars().take(320).collect();
                    escaped.push(format!("{name} in {place}: …{around}…"));
                }
            }
        }
        escaped
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
