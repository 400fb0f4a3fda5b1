//! The head of a proxy request.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

const MAX_HEAD: usize = 16 * 1024;

/// What the client asks its proxy for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The host as given, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// What goes to the host first: nothing for a tunnel, else the rewritten request.
    pub(super) first: Vec<u8>,
    pub(super) way: Way,
}

/// How a client asks to be led to its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// `CONNECT host:port`.
    Tunnel,
    /// `GET http://host/…`.
    Plain,
    /// `GET https://host/…`: the proxy is to speak TLS for it and would read everything.
    Opened,
}

/// Reads a request for a proxy: `CONNECT host:port` or `GET http://host/…`, also with `https`.
///
/// # Errors
/// `InvalidData` for anything else, or a head over 16 KiB.
pub(super) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Head> {
    let mut bytes = Vec::with_capacity(1024);
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if bytes.len() > MAX_HEAD {
            return Err(invalid("the request head is too long"));
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let rest = bytes.split_off(end + 4);
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| invalid("not text"))?;
    let (line, fields) = head.split_once("\r\n").unwrap_or((head, ""));
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some("HTTP/1.1" | "HTTP/1.0"), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(invalid("not an HTTP request"));
    };
    if method == "CONNECT" {
        let (host, port) = authority(target, None)?;
        return Ok(Head {
            host,
            port,
            first: rest,
            way: Way::Tunnel,
        });
    }
    let (target, way, port) = match target.split_once("://") {
        Some(("http", target)) => (target, Way::Plain, 80),
        Some(("https", target)) => (target, Way::Opened, 443),
        _ => return Err(invalid("not a request for a proxy")),
    };
    let (authority_part, path) = match target.find(['/', '?']) {
        Some(at) => target.split_at(at),
        None => (target, "/"),
    };
    let (host, port) = authority(authority_part, Some(port))?;
    let slash = if path.starts_with('/') { "" } else { "/" };
    let mut first = format!("{method} {slash}{path} HTTP/1.1\r\n").into_bytes();
    for field in fields.split("\r\n") {
        let name = field.split(':').next().unwrap_or("").to_ascii_lowercase();
        let is_replaced = matches!(
            name.as_str(),
            "" | "host" | "connection" | "proxy-connection" | "proxy-authorization" | "keep-alive"
        );
        if !is_replaced {
            first.extend_from_slice(field.as_bytes());
            first.extend_from_slice(b"\r\n");
        }
    }
    // One request for each connection: the next one may be for another host.
    first.extend_from_slice(
        format!("Host: {authority_part}\r\nConnection: close\r\n\r\n").as_bytes(),
    );
    first.extend_from_slice(&rest);
    Ok(Head {
        host,
        port,
        first,
        way,
    })
}

fn authority(text: &str, default: Option<u16>) -> io::Result<(String, u16)> {
    let bad = || invalid("not a host and port");
    let (host, port) = match text.strip_prefix('[') {
        Some(text) => {
            let (host, port) = text.split_once(']').ok_or_else(bad)?;
            (host, port.strip_prefix(':'))
        }
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        Some(port) => port.parse().map_err(|_| bad())?,
        None => default.ok_or_else(bad)?,
    };
    let is_plain = !host.is_empty()
        && host.len() <= 253
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte));
    if is_plain {
        Ok((host.to_owned(), port))
    } else {
        Err(bad())
    }
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
