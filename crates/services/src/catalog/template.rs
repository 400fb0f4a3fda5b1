//! Texts with `{names}` in them, in whose place the values of settings go.

use std::collections::BTreeMap;

/// A text that settings complete.
#[derive(Clone)]
pub(super) struct Template(Vec<Piece>);

#[derive(Clone)]
enum Piece {
    Text(String),
    Setting(String),
}

impl Template {
    /// A text that is complete.
    pub(super) fn fixed(text: &str) -> Self {
        Self(vec![Piece::Text(text.to_owned())])
    }

    /// The value of a setting and nothing else.
    pub(super) fn setting(name: String) -> Self {
        Self(vec![Piece::Setting(name)])
    }

    /// Reads a text. `named` tells what stands for a name in braces; what it does not know stays as
    /// it is, with its braces.
    pub(super) fn read<E>(
        text: &str,
        mut named: impl FnMut(&str) -> Result<Option<Self>, E>,
    ) -> Result<Self, E> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            plain.push_str(before);
            rest = after;
            let name = after
                .split_once('}')
                .filter(|(name, _)| !name.contains('{'));
            let found = match name {
                Some((name, after)) => named(name)?.map(|found| (found, after)),
                None => None,
            };
            match found {
                Some((found, after)) => {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    pieces.extend(found.0);
                    rest = after;
                }
                None => plain.push('{'),
            }
        }
        plain.push_str(rest);
        pieces.push(Piece::Text(plain));
        Ok(Self(pieces))
    }

    /// The names of the settings in it.
    pub(super) fn settings(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Setting(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// Whether it begins with a setting.
    pub(super) fn begins_with_setting(&self) -> bool {
        let is_some = |piece: &&Piece| !matches!(piece, Piece::Text(text) if text.is_empty());
        let first = self.0.iter().find(is_some);
        matches!(first, Some(Piece::Setting(_)))
    }

    /// The text with these values; `None` if one of them is not given.
    pub(super) fn filled(&self, values: &BTreeMap<String, String>) -> Option<String> {
        let of = |piece: &Piece| match piece {
            Piece::Text(text) => Some(text.clone()),
            Piece::Setting(name) => values.get(name).cloned(),
        };
        self.0.iter().map(of).collect()
    }
}
