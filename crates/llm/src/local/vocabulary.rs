//! SmolLM2's tokens.
//!
//! candle's own `TokenizerFromGguf` falls back to GPT-2's splitting; SmolLM2 splits every digit.

use std::collections::HashMap;

use anyhow::{Context, anyhow, ensure};
use candle_core::quantized::gguf_file::{Content, Value};
use tokenizers::Tokenizer;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;

/// Converts between text and tokens.
pub struct Vocabulary {
    tokenizer: Tokenizer,
    bytes: Vec<Box<[u8]>>,
    /// Begins a message.
    pub(crate) start: u32,
    /// Ends a message.
    pub(crate) end: u32,
    /// Ends a document.
    pub(crate) end_of_text: u32,
}

impl Vocabulary {
    /// The vocabulary inside a GGUF file.
    ///
    /// # Errors
    /// When the file's tokens are not SmolLM2's kind of byte-level BPE.
    pub fn from_gguf(content: &Content) -> anyhow::Result<Self> {
        let pre = content.metadata.get("tokenizer.ggml.pre");
        let pre = pre.and_then(|value| value.to_string().ok());
        ensure!(
            pre.is_some_and(|pre| pre == "smollm"),
            "the file's tokens are not split the smollm way but {pre:?}"
        );
        let tokens = strings(content, "tokenizer.ggml.tokens")?;
        let merges = strings(content, "tokenizer.ggml.merges")?
            .into_iter()
            .map(|merge| {
                let (left, right) = merge.split_once(' ')?;
                Some((left.to_owned(), right.to_owned()))
            })
            .collect::<Option<Vec<_>>>()
            .context("a merge is not two tokens")?;
        let ids: Vocab = (0..).zip(&tokens).map(|(id, t)| (t.clone(), id)).collect();
        let id = |token: &str| {
            ids.get(token)
                .copied()
                .with_context(|| format!("no {token}"))
        };
        let (start, end) = (id("<|im_start|>")?, id("<|im_end|>")?);
        let end_of_text = id("<|endoftext|>")?;
        let bpe = BPE::builder()
            .vocab_and_merges(ids, merges)
            .build()
            .map_err(|error| anyhow!(error))?;
        let mut tokenizer = Tokenizer::new(bpe);
        // No special tokens are registered: `<|im_end|>` in a text is only text.
        tokenizer.with_pre_tokenizer(Some(Sequence::new(vec![
            Digits::new(true).into(),
            ByteLevel::new(false, false, true).into(),
        ])));
        let alphabet = byte_alphabet();
        let bytes = tokens.iter().map(|token| token_bytes(token, &alphabet));
        Ok(Self {
            tokenizer,
            bytes: bytes.collect(),
            start,
            end,
            end_of_text,
        })
    }

    /// Tokens of a text, none of them special.
    ///
    /// # Errors
    /// Never for this vocabulary, which has every byte.
    pub fn encode(&self, text: &str) -> anyhow::Result<Vec<u32>> {
        let encoding = self.tokenizer.encode_fast(text, false);
        Ok(encoding.map_err(|error| anyhow!(error))?.get_ids().to_vec())
    }

    /// What a token says: often a part of a character. Empty for an unknown one.
    pub fn bytes(&self, token: u32) -> &[u8] {
        self.bytes.get(token as usize).map_or(&[], |bytes| bytes)
    }
}

fn strings(content: &Content, key: &str) -> anyhow::Result<Vec<String>> {
    let value = content
        .metadata
        .get(key)
        .with_context(|| format!("the file has no {key}"))?;
    let strings = value.to_vec()?.iter().map(Value::to_string);
    Ok(strings.map(|s| s.cloned()).collect::<Result<_, _>>()?)
}

/// GPT-2's spelling of bytes: printable ones stand for themselves, the rest begin at U+0100.
fn byte_alphabet() -> HashMap<char, u8> {
    let mut next = 0x100;
    (0..=u8::MAX)
        .map(|byte| match byte {
            b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff => (char::from(byte), byte),
            _ => {
                next += 1;
                (char::from_u32(next - 1).unwrap_or_default(), byte)
            }
        })
        .collect()
}

fn token_bytes(token: &str, alphabet: &HashMap<char, u8>) -> Box<[u8]> {
    token
        .chars()
        .filter_map(|c| alphabet.get(&c).copied())
        .collect()
}
