//! The engine's API in the plainest way: one request on one connection.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

/// Sends a request and reads the answer to its end; the JSON is null if there is none.
pub(super) fn request(
    socket: &Path,
    method: &str,
    path: &str,
    body: &[u8],
) -> anyhow::Result<(u16, Value)> {
    let (status, answer) = exchange(socket, method, path, body)?;
    let text = String::from_utf8_lossy(&answer);
    // A progress report is several values; its last one counts.
    let last = text.trim().lines().last().unwrap_or_default();
    Ok((status, serde_json::from_str(last).unwrap_or(Value::Null)))
}

/// Sends a request and reads the answer to its end, whatever it is.
pub(super) fn exchange(
    socket: &Path,
    method: &str,
    path: &str,
    body: &[u8],
) -> anyhow::Result<(u16, Vec<u8>)> {
    let mut stream = UnixStream::connect(socket)
        .with_context(|| format!("connecting to {}", socket.display()))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let is_json = body.starts_with(b"{");
    let kind = if is_json {
        "application/json"
    } else {
        "application/x-tar"
    };
    // HTTP/1.0, so that the answer comes whole and not in chunks.
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: engine\r\nContent-Type: {kind}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        bail!("the engine's answer ends early: {answer:?}");
    };
    let body = answer.split_off(end + 4);
    let head = String::from_utf8_lossy(&answer);
    let status = head.split(' ').nth(1).context("no status")?.parse()?;
    Ok((status, body))
}

/// A root filesystem of one program.
pub(crate) fn archive(name: &str, program: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(program.len() as u64);
    header.set_mode(0o755);
    header.set_cksum();
    archive.append_data(&mut header, name, program)?;
    Ok(archive.into_inner()?)
}
