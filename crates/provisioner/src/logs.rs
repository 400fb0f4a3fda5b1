//! The last lines that a container wrote to its error output, and those still to come.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::broadcast;

use crate::Veil;

const LINES: usize = 1000;
const BYTES: usize = 256 * 1024;
const LINE: usize = 4 * 1024;
const FOLLOWERS: usize = 256;

/// One line, without its end; control characters are spaces, and at most 4 KiB of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// 1, 2, … since the book was opened.
    pub number: u64,
    /// When its end arrived.
    pub time: SystemTime,
    /// What it says.
    pub text: String,
}

/// A bounded log: the newest 1,000 lines or 256 KiB, without the secrets that it was told. Cloning
/// shares it.
#[derive(Clone, Debug)]
pub struct LogBook {
    pages: Arc<Mutex<Pages>>,
    live: broadcast::Sender<LogLine>,
    veil: Veil,
}

#[derive(Debug, Default)]
struct Pages {
    lines: VecDeque<LogLine>,
    bytes: usize,
    /// A line whose end has not arrived.
    partial: Vec<u8>,
    last: u64,
}

impl Default for LogBook {
    fn default() -> Self {
        Self::behind(Veil::default())
    }
}

impl LogBook {
    /// An empty book that never shows what the veil hides.
    pub fn behind(veil: Veil) -> Self {
        Self {
            pages: Arc::default(),
            live: broadcast::channel(FOLLOWERS).0,
            veil,
        }
    }

    /// What hides secrets in it.
    pub fn veil(&self) -> &Veil {
        &self.veil
    }

    /// The newest lines, oldest first, at most `count`.
    pub fn tail(&self, count: usize) -> Vec<LogLine> {
        let pages = self.pages();
        let skip = pages.lines.len().saturating_sub(count);
        pages.lines.iter().skip(skip).cloned().collect()
    }

    /// Lines from now on; a follower that is more than 256 behind loses the oldest.
    pub fn follow(&self) -> broadcast::Receiver<LogLine> {
        self.live.subscribe()
    }

    /// Writes a line of our own, such as why a container ended.
    pub fn note(&self, text: &str) {
        let mut pages = self.pages();
        self.end_line(&mut pages);
        pages.partial.extend_from_slice(text.as_bytes());
        self.end_line(&mut pages);
    }

    /// Writes what a container said; lines end with a line feed.
    pub fn write(&self, bytes: &[u8]) {
        let mut pages = self.pages();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, is_whole) = match part.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (part, false),
            };
            // A secret that begins before the cut is known by its end behind it.
            let room = (LINE + self.veil.longest()).saturating_sub(pages.partial.len());
            pages
                .partial
                .extend_from_slice(&text[..text.len().min(room)]);
            if is_whole {
                self.end_line(&mut pages);
            }
        }
    }

    /// Ends a line whose end never came: nothing more is said.
    pub(crate) fn end(&self) {
        self.end_line(&mut self.pages());
    }

    fn end_line(&self, pages: &mut Pages) {
        let bytes = std::mem::take(&mut pages.partial);
        let bytes = self.veil.hide(&bytes, LINE);
        let text: String = String::from_utf8_lossy(&bytes)
            .trim_end()
            .chars()
            .map(|c| if c.is_control() && c != '\t' { ' ' } else { c })
            .collect();
        if text.is_empty() {
            return;
        }
        pages.last += 1;
        pages.bytes += text.len();
        let line = LogLine {
            number: pages.last,
            time: SystemTime::now(),
            text,
        };
        // Nobody following is no fault.
        let _ = self.live.send(line.clone());
        pages.lines.push_back(line);
        while pages.lines.len() > LINES || pages.bytes > BYTES {
            match pages.lines.pop_front() {
                Some(line) => pages.bytes -= line.text.len(),
                None => break,
            }
        }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
