//! The gate: every connection out of a container passes it, and few do.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use outbound::Dialler;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::http::{Head, Way, read_head};
use super::server_name::{Hello, server_name};
use super::{Refusals, Rule};

const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take to speak where the host may speak first.
const PEEK_TIMEOUT: Duration = Duration::from_millis(500);
const DIAL_TIMEOUT: Duration = Duration::from_secs(15);
/// A connection lives no longer, however busy.
const LIFETIME: Duration = Duration::from_secs(3600);
const BUFFER: usize = 16 * 1024;
/// What is refused although its host is allowed: the proxy would have to read along.
const NO_TUNNEL: &str = "its HTTP client sent an https:// request to the proxy in place of opening a \
    tunnel, as axios does; give the server the variables HTTPS_PROXY and https_proxy without a value: \
    hosts that its list names exactly are reached without a proxy";

/// The gate of one container.
pub(crate) struct Gate {
    pub(crate) rules: Vec<Rule>,
    pub(crate) dialler: Dialler,
    pub(crate) refusals: Refusals,
}

impl Gate {
    /// Serves one connection from inside to its end: a proxy request, or the one host that the
    /// address stands for.
    pub(crate) async fn serve(self: Arc<Self>, stream: DuplexStream, fixed: Option<(String, u16)>) {
        let served = async {
            match fixed {
                Some((host, port)) => self.pass(stream, &host, port, Vec::new()).await,
                None => self.serve_request(stream).await,
            }
        };
        match timeout(LIFETIME, served).await {
            Ok(Err(error)) => tracing::debug!(%error, "egress connection ended"),
            Ok(Ok(())) => {}
            Err(_) => tracing::debug!("egress connection outlived its time"),
        }
    }

    async fn serve_request(&self, mut stream: DuplexStream) -> io::Result<()> {
        let head = match timeout(HEAD_TIMEOUT, read_head(&mut stream)).await {
            Ok(Ok(head)) => head,
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                return answer(&mut stream, "400 Bad Request", &error.to_string()).await;
            }
            Ok(Err(error)) => return Err(error),
            Err(_) => return answer(&mut stream, "408 Request Timeout", "too slow").await,
        };
        let Head {
            host,
            port,
            first,
            way,
        } = head;
        if way == Way::Opened && self.is_allowed(&host, port) {
            let target = format!("{host}:{port}");
            self.refusals.add(&target, NO_TUNNEL);
            let reason = format!("{target}: {NO_TUNNEL}");
            return answer(&mut stream, "400 Bad Request", &reason).await;
        }
        let mut upstream = match self.dial(&host, port).await {
            Ok(upstream) => upstream,
            Err((status, reason)) => return answer(&mut stream, status, &reason).await,
        };
        if way == Way::Tunnel {
            stream
                .write_all(b"HTTP/1.1 200 Connection Established\r\n\r\n")
                .await?;
            return self.tunnel(stream, upstream, &host, port, first).await;
        }
        upstream.write_all(&first).await?;
        tokio::io::copy_bidirectional(&mut stream, &mut upstream).await?;
        Ok(())
    }

    async fn pass(
        &self,
        stream: DuplexStream,
        host: &str,
        port: u16,
        first: Vec<u8>,
    ) -> io::Result<()> {
        match self.dial(host, port).await {
            Ok(upstream) => self.tunnel(stream, upstream, host, port, first).await,
            Err((_, reason)) => Err(io::Error::other(reason)),
        }
    }

    fn is_allowed(&self, host: &str, port: u16) -> bool {
        self.rules.iter().any(|rule| rule.allows(host, port))
    }

    /// Dials what the rules let through; else the status and the reason.
    async fn dial(&self, host: &str, port: u16) -> Result<TcpStream, (&'static str, String)> {
        let target = format!("{host}:{port}");
        if !self.is_allowed(host, port) {
            let reason = "not on the server's allow-list";
            self.refusals.add(&target, reason);
            return Err(("403 Forbidden", format!("{target} is {reason}")));
        }
        match timeout(DIAL_TIMEOUT, self.dialler.connect(host, port)).await {
            Ok(Ok(upstream)) => Ok(upstream),
            Ok(Err(outbound::DialError::Refused(refused))) => {
                let reason = refused.to_string();
                self.refusals.add(&target, &reason);
                Err(("403 Forbidden", reason))
            }
            Ok(Err(outbound::DialError::Failed(error))) => Err((
                "502 Bad Gateway",
                format!("{target} cannot be reached: {error}"),
            )),
            Err(_) => Err(("504 Gateway Timeout", format!("{target} does not answer"))),
        }
    }

    /// Carries bytes both ways once a TLS client has named the host that was dialled.
    async fn tunnel(
        &self,
        mut stream: DuplexStream,
        mut upstream: TcpStream,
        host: &str,
        port: u16,
        mut first: Vec<u8>,
    ) -> io::Result<()> {
        let refused = |name: &str, reason: String| {
            let target = format!("{name}:{port}");
            self.refusals.add(&target, &reason);
            Err(io::Error::other(format!("{target}: {reason}")))
        };
        match read_first(&mut stream, &mut first, port).await? {
            Hello::Name(name) if name == host.trim_end_matches('.').to_ascii_lowercase() => {}
            Hello::Name(name) => {
                return refused(&name, format!("asked for through a tunnel to {host}"));
            }
            // TLS names no addresses.
            Hello::Nameless if port == 443 && host.parse::<IpAddr>().is_err() => {
                return refused(host, "its TLS client named no host".to_owned());
            }
            Hello::Nameless => {}
            Hello::Partial if first.is_empty() => {}
            Hello::Partial => {
                return refused(host, "its TLS client did not name a host".to_owned());
            }
        }
        upstream.write_all(&first).await?;
        tokio::io::copy_bidirectional(&mut stream, &mut upstream).await?;
        Ok(())
    }
}

/// Reads as much as tells whom a TLS client names. What is no TLS is passed on at once; where the
/// host may speak first, a client that says nothing is waited for only shortly.
async fn read_first(
    stream: &mut DuplexStream,
    first: &mut Vec<u8>,
    port: u16,
) -> io::Result<Hello> {
    if port != 443 && first.is_empty() {
        let peeked = timeout(PEEK_TIMEOUT, stream.read_buf(first)).await;
        if peeked.is_err() || first.is_empty() {
            return Ok(Hello::Partial);
        }
    }
    let named = async {
        loop {
            let said = server_name(first);
            if said != Hello::Partial || first.len() >= BUFFER {
                return Ok(said);
            }
            if stream.read_buf(first).await? == 0 {
                return Ok(said);
            }
        }
    };
    timeout(HEAD_TIMEOUT, named).await?
}

async fn answer(stream: &mut DuplexStream, status: &str, reason: &str) -> io::Result<()> {
    let length = reason.len() + 1;
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{reason}\n"
    );
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}
