//! Messages of a byte stream, one a line, when one of them is too long.
//!
//! Whoever reads the lines drops those that are too long, and whoever waits for such an answer would
//! wait until its time is up. So an answer that was too long is followed by an error for its request.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use crate::connection::MAX_MESSAGE_BYTES;

/// A line that is so long has no end.
const ENDLESS: usize = 64 * MAX_MESSAGE_BYTES;
/// Longest id that is repeated.
const MAX_ID: usize = 256;
const CHUNK: usize = 16 * 1024;

/// Passes bytes on, with an error behind each answer that is longer than what is read.
pub(crate) struct Lines<R> {
    read: R,
    line: Line,
    /// What waits to be passed on, from `at` on.
    ready: Vec<u8>,
    at: usize,
    is_over: bool,
}

impl<R> Lines<R> {
    pub(crate) fn new(read: R) -> Self {
        Self {
            read,
            line: Line::default(),
            ready: Vec::new(),
            at: 0,
            is_over: false,
        }
    }

    /// Takes bytes over; false once nothing that follows can be understood.
    fn take(&mut self, bytes: &[u8]) -> bool {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.ready.extend_from_slice(part);
            for byte in part {
                self.line.add(*byte);
            }
            if part.last() != Some(&b'\n') {
                return self.line.length <= ENDLESS;
            }
            let line = std::mem::take(&mut self.line);
            if line.length <= MAX_MESSAGE_BYTES || line.is_asking {
                continue;
            }
            if line.id.is_empty() {
                return false;
            }
            let limit = MAX_MESSAGE_BYTES >> 20;
            self.ready.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
            self.ready.extend_from_slice(&line.id);
            let error = format!(
                r#","error":{{"code":-32603,"message":"the answer has more than {limit} MiB, which are not read"}}}}"#
            );
            self.ready.extend_from_slice(error.as_bytes());
            self.ready.push(b'\n');
        }
        true
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Lines<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.at == this.ready.len() && !this.is_over {
            this.ready.clear();
            this.at = 0;
            let mut chunk = [0; CHUNK];
            let mut read = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut this.read).poll_read(context, &mut read))?;
            this.is_over = read.filled().is_empty() || !this.take(read.filled());
        }
        let length = buffer.remaining().min(this.ready.len() - this.at);
        buffer.put_slice(&this.ready[this.at..this.at + length]);
        this.at += length;
        Poll::Ready(Ok(()))
    }
}

/// What is known of a line that is not over: where in its JSON it is, and what it answers.
#[derive(Default)]
struct Line {
    length: usize,
    depth: usize,
    is_text: bool,
    is_escaped: bool,
    /// The member of the message that is being read: its name, then its value.
    word: Vec<u8>,
    name: Vec<u8>,
    is_value: bool,
    id: Vec<u8>,
    /// Whether it is a request or a notice, which nobody here waits for.
    is_asking: bool,
}

impl Line {
    fn add(&mut self, byte: u8) {
        self.length += 1;
        if self.is_text {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => self.is_text = false,
                _ => {}
            }
            return self.keep(byte);
        }
        match byte {
            b'"' => {
                self.is_text = true;
                self.keep(byte);
            }
            b'{' | b'[' => {
                self.keep(byte);
                self.depth += 1;
            }
            b'}' | b']' => {
                if self.depth == 1 {
                    self.end_member();
                }
                self.depth = self.depth.saturating_sub(1);
                self.keep(byte);
            }
            b':' if self.depth == 1 => {
                self.name = std::mem::take(&mut self.word);
                self.is_value = true;
            }
            b',' if self.depth == 1 => self.end_member(),
            byte if byte.is_ascii_whitespace() => {}
            byte => self.keep(byte),
        }
    }

    fn keep(&mut self, byte: u8) {
        if self.depth == 1 && self.word.len() <= MAX_ID {
            self.word.push(byte);
        }
    }

    fn end_member(&mut self) {
        let word = std::mem::take(&mut self.word);
        if !std::mem::take(&mut self.is_value) {
            return;
        }
        match self.name.as_slice() {
            br#""id""# if word.len() <= MAX_ID => self.id = word,
            br#""method""# => self.is_asking = true,
            _ => {}
        }
    }
}
