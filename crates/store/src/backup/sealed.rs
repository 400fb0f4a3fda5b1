//! Sealed streams: encrypted piece by piece, so that no change, cut or swap goes unnoticed.
//!
//! Each stream has a random key, wrapped by the master key for that one place. Layout: mark, the
//! master key's fingerprint, the wrapped key, then pieces of `length, ciphertext`. A piece's nonce is
//! its number and whether it is the last, so pieces cannot be moved and the end cannot be missing.

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use anyhow::{Context, bail};
use bytes::{Buf, Bytes, BytesMut};
use futures::TryStreamExt;
use rand::RngCore;

use crate::blobs::{BlobStream, BlobWriter, Blobs};
use crate::master_keys::{Fingerprint, Keyring, MasterKey};
use crate::vault;

const MARK: &[u8; 8] = b"aasealed";
const FINGERPRINT_BYTES: usize = 16;
/// Nonce, key and tag.
const WRAPPED_BYTES: usize = 12 + 32 + 16;
const TAG_BYTES: usize = 16;
/// Plain bytes of a piece; the last one may have fewer.
const PIECE_BYTES: usize = 64 * 1024;
/// In a length: this is the last piece.
const LAST: u32 = 1 << 31;

/// A stream that is being sealed.
pub(super) struct SealedWriter {
    blob: BlobWriter,
    cipher: Aes256Gcm,
    number: u64,
    pending: BytesMut,
}

/// A stream that is being opened.
pub(super) struct SealedReader {
    blob: BlobStream,
    cipher: Aes256Gcm,
    number: u64,
    buffer: BytesMut,
    has_ended: bool,
}

impl SealedWriter {
    pub(super) async fn create(
        blobs: &Blobs,
        place: &str,
        key: &MasterKey,
    ) -> anyhow::Result<Self> {
        let mut stream_key = [0; 32];
        rand::rng().fill_bytes(&mut stream_key);
        let mut blob = blobs.write(place);
        let wrapped = vault::wrap(key, place, &stream_key);
        let head = [&MARK[..], key.fingerprint().bytes(), &wrapped].concat();
        blob.add(head.into()).await.context("begin to write")?;
        Ok(Self {
            blob,
            cipher: Aes256Gcm::new(&Key::<Aes256Gcm>::from(stream_key)),
            number: 0,
            pending: BytesMut::new(),
        })
    }

    pub(super) async fn add(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.pending.extend_from_slice(bytes);
        // One piece is always left for the end.
        while self.pending.len() > PIECE_BYTES {
            let piece = self.pending.split_to(PIECE_BYTES);
            self.send(&piece, false).await?;
        }
        Ok(())
    }

    pub(super) async fn finish(mut self) -> anyhow::Result<()> {
        let piece = self.pending.split();
        self.send(&piece, true).await?;
        self.blob.finish().await.context("write the end")
    }

    async fn send(&mut self, plain: &[u8], is_last: bool) -> anyhow::Result<()> {
        let sealed = self
            .cipher
            .encrypt(&nonce(self.number, is_last), plain)
            .expect("AES-GCM takes up to 64 GiB");
        self.number += 1;
        let length = sealed.len() as u32 | if is_last { LAST } else { 0 };
        let framed = [&length.to_be_bytes()[..], &sealed].concat();
        self.blob.add(framed.into()).await.context("write")
    }
}

impl SealedReader {
    /// # Errors
    /// If there is nothing, or it was sealed for another place or with another key.
    pub(super) async fn open(
        blobs: &Blobs,
        place: &str,
        keyring: &Keyring,
    ) -> anyhow::Result<Self> {
        let found = blobs.read(place).await.context("read")?;
        let mut blob = found.with_context(|| format!("{place} is missing"))?;
        let mut buffer = BytesMut::new();
        let head_bytes = MARK.len() + FINGERPRINT_BYTES + WRAPPED_BYTES;
        fill(&mut blob, &mut buffer, head_bytes).await?;
        if buffer.len() < head_bytes || !buffer.starts_with(MARK) {
            bail!("{place} is damaged: it does not begin like a backup");
        }
        buffer.advance(MARK.len());
        let fingerprint = Fingerprint::from_bytes(&buffer.split_to(FINGERPRINT_BYTES))?;
        let key = keyring.find(fingerprint).with_context(|| {
            format!("it is sealed with master key {fingerprint}, which is not at hand")
        })?;
        let stream_key = vault::unwrap(key, place, &buffer.split_to(WRAPPED_BYTES))
            .ok()
            .with_context(|| format!("{place} is damaged: its key does not open"))?;
        Ok(Self {
            blob,
            cipher: Aes256Gcm::new(&Key::<Aes256Gcm>::from(stream_key)),
            number: 0,
            buffer,
            has_ended: false,
        })
    }

    /// The next piece; `None` after the last.
    ///
    /// # Errors
    /// If anything was changed or is missing.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Bytes>> {
        if self.has_ended {
            fill(&mut self.blob, &mut self.buffer, 1).await?;
            if !self.buffer.is_empty() {
                bail!("it is damaged: something follows its end");
            }
            return Ok(None);
        }
        fill(&mut self.blob, &mut self.buffer, 4).await?;
        if self.buffer.len() < 4 {
            bail!("it is damaged: its end is missing");
        }
        let length = self.buffer.get_u32();
        let is_last = length & LAST != 0;
        let length = (length & !LAST) as usize;
        if !(TAG_BYTES..=PIECE_BYTES + TAG_BYTES).contains(&length) {
            bail!("it is damaged: a piece has an impossible length");
        }
        fill(&mut self.blob, &mut self.buffer, length).await?;
        if self.buffer.len() < length {
            bail!("it is damaged: its end is missing");
        }
        let sealed = self.buffer.split_to(length);
        let plain = self
            .cipher
            .decrypt(&nonce(self.number, is_last), &sealed[..]);
        let plain = plain
            .ok()
            .with_context(|| format!("it is damaged: piece {} does not open", self.number))?;
        self.number += 1;
        self.has_ended = is_last;
        Ok(Some(plain.into()))
    }
}

fn nonce(number: u64, is_last: bool) -> Nonce<<Aes256Gcm as aes_gcm::AeadCore>::NonceSize> {
    let mut nonce = [0; 12];
    nonce[0] = u8::from(is_last);
    nonce[4..].copy_from_slice(&number.to_be_bytes());
    nonce.into()
}

/// Reads until `bytes` are there or the stream ends.
async fn fill(blob: &mut BlobStream, buffer: &mut BytesMut, bytes: usize) -> anyhow::Result<()> {
    while buffer.len() < bytes {
        match blob.try_next().await.context("read")? {
            Some(more) => buffer.extend_from_slice(&more),
            None => break,
        }
    }
    Ok(())
}
