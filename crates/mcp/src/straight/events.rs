//! The messages of a stream of events.

use std::mem;

use crate::connection::MAX_MESSAGE_BYTES;
use crate::error::{CallError, ConnectError};

use super::wires::Exchange;

/// Reads the messages out of the body of an answer.
pub(super) struct Events {
    exchange: Exchange,
    text: Lines,
}

/// Lines that have come, and the event that they make.
#[derive(Default)]
struct Lines {
    buffer: Vec<u8>,
    /// What of the buffer is known to be without the end of a line.
    scanned: usize,
    /// Whether a line feed still belongs to the line before.
    skips_feed: bool,
    data: Option<Vec<u8>>,
    is_other: bool,
}

impl Events {
    pub(super) fn new(exchange: Exchange) -> Self {
        Self {
            exchange,
            text: Lines::default(),
        }
    }

    /// The next message; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Result<String, CallError>> {
        loop {
            if let Some(data) = self.text.message() {
                return Some(Ok(data));
            }
            if self.text.size() > MAX_MESSAGE_BYTES {
                let what = "sends a message that is too large: more than 4 MiB".to_owned();
                return Some(Err(ConnectError::TooMuch(what).into()));
            }
            match self.exchange.next().await? {
                Ok(piece) => self.text.buffer.extend_from_slice(&piece),
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Nothing more is wanted of it.
    pub(super) fn give_back(self) {
        self.exchange.give_back();
    }
}

impl Lines {
    fn size(&self) -> usize {
        self.buffer.len() + self.data.as_ref().map_or(0, Vec::len)
    }

    /// The message that the next whole event holds. Events of other kinds are passed over.
    fn message(&mut self) -> Option<String> {
        let mut start = 0;
        let mut found = None;
        while found.is_none() {
            if self.skips_feed && start < self.buffer.len() {
                self.skips_feed = false;
                start += usize::from(self.buffer[start] == b'\n');
            }
            let from = start.max(self.scanned);
            let mut rest = self.buffer[from.min(self.buffer.len())..].iter();
            let Some(length) = rest.position(|byte| matches!(byte, b'\n' | b'\r')) else {
                self.scanned = self.buffer.len();
                break;
            };
            let end = from + length;
            let line = start..end;
            self.skips_feed = self.buffer[end] == b'\r';
            start = end + 1;
            self.scanned = start;
            found = self.line(line);
        }
        self.buffer.drain(..start);
        self.scanned -= start;
        found
    }

    fn line(&mut self, line: std::ops::Range<usize>) -> Option<String> {
        let line = &self.buffer[line];
        if line.is_empty() {
            let is_other = mem::take(&mut self.is_other);
            let data = self.data.take().filter(|_| !is_other)?;
            // What is no text makes no sense, and is passed over as that is.
            return String::from_utf8(data).ok();
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, value) = match colon {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => match &mut self.data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => self.data = Some(value.to_vec()),
            },
            b"event" => self.is_other = !matches!(value, b"" | b"message"),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(pieces: &[&str]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut messages = Vec::new();
        for piece in pieces {
            lines.buffer.extend_from_slice(piece.as_bytes());
            while let Some(message) = lines.message() {
                messages.push(message);
            }
        }
        messages
    }

    #[test]
    fn messages_are_read_however_they_are_cut() {
        let text = "id: 1\r\nevent: message\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\n: still here\n\n\
                    event: other\ndata: no\n\ndata:two\n\ndata: three\r\r";
        let expected = ["{\"a\":\n1}", "two", "three"];

        assert_eq!(messages(&[text]), expected);
        let letters: Vec<&str> = text.split_inclusive(|_: char| true).collect();
        assert_eq!(messages(&letters), expected);
        for at in 1..text.len() {
            let (begin, end) = text.split_at(at);
            assert_eq!(messages(&[begin, end]), expected, "cut at {at}");
        }
    }

    #[test]
    fn event_without_its_end_is_no_message() {
        assert!(messages(&["data: 1\n"]).is_empty());
    }
}
