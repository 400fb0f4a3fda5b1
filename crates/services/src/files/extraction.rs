//! The text of PDF files, read by a process of its own.
//!
//! PDF is a format of programs, and its readers meet files that were made to break them. The child
//! gets the file on its standard input, nothing of our environment, and limits on memory, time and
//! files that it sets itself before it reads anything. Whatever it does, this process goes on.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use futures::TryStreamExt;
use store::blobs::Blobs;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::sync::Semaphore;

use super::MAX_TEXT_CHARS;
use super::content::cut;

/// Longest time for one file, and for its turn.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of text taken from the child.
const MAX_OUTPUT_BYTES: u64 = MAX_TEXT_CHARS as u64 * 4;
/// Files read at once.
const AT_ONCE: usize = 2;

/// Reads PDF files in child processes.
#[derive(Debug)]
pub(crate) struct Extractor {
    /// This program and the command that calls [`extract_pdf_text`].
    program: Option<(PathBuf, &'static str)>,
    turns: Semaphore,
}

impl Extractor {
    pub(crate) fn new(program: Option<(PathBuf, &'static str)>) -> Self {
        Self {
            program,
            turns: Semaphore::new(AT_ONCE),
        }
    }

    /// The text of a PDF file; `None` if it has none that can be read within the limits.
    pub(super) async fn read_pdf(&self, blobs: &Blobs, key: &str) -> Option<String> {
        let (program, command) = self.program.as_ref()?;
        let reading = async {
            let _turn = self.turns.acquire().await.context("wait for a turn")?;
            read(Command::new(program).arg(command), blobs, key).await
        };
        match tokio::time::timeout(TIMEOUT, reading).await {
            Ok(Ok(text)) => Some(text).filter(|text| !text.trim().is_empty()),
            Ok(Err(error)) => {
                tracing::info!(error = format!("{error:#}"), "a PDF file cannot be read");
                None
            }
            Err(_) => {
                tracing::info!("a PDF file takes too long to be read");
                None
            }
        }
    }
}

async fn read(command: &mut Command, blobs: &Blobs, key: &str) -> anyhow::Result<String> {
    let mut child = command
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("start the reader")?;
    let mut input = child.stdin.take().context("the reader's input")?;
    let output = child.stdout.take().context("the reader's output")?;
    let mut content = blobs.read(key).await?.context("the file is gone")?;
    let feed = async {
        while let Some(bytes) = content.try_next().await? {
            input.write_all(&bytes).await?;
        }
        drop(input);
        std::io::Result::Ok(())
    };
    let mut text = Vec::new();
    let mut output = output.take(MAX_OUTPUT_BYTES);
    let (fed, said) = tokio::join!(feed, output.read_to_end(&mut text));
    said.context("read its answer")?;
    if text.len() as u64 == MAX_OUTPUT_BYTES {
        // It has said enough, and may be waiting to say more.
        child.start_kill().context("stop the reader")?;
        return Ok(cut(&String::from_utf8_lossy(&text)));
    }
    let status = child.wait().await.context("wait for the reader")?;
    anyhow::ensure!(status.success(), "the reader ended with {status}");
    fed.context("hand the file over")?;
    Ok(cut(&String::from_utf8_lossy(&text)))
}

/// Reads a PDF file from standard input and writes its text to standard output; the whole of the
/// child process.
///
/// # Errors
/// If the file has no readable text. A file made to break readers may also end the process.
pub fn extract_pdf_text() -> anyhow::Result<()> {
    let mut file = Vec::new();
    std::io::stdin()
        .read_to_end(&mut file)
        .context("read the file")?;
    let text = pdf_extract::extract_text_from_mem(&file).context("find its text")?;
    let mut output = std::io::stdout();
    output
        .write_all(text.as_bytes())
        .context("write the text")?;
    output.flush().context("write the text")
}
