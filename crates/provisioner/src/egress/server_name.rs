//! The name that a TLS client asks for, so that a tunnel leads where it says.

/// The kind of a TLS record.
const HANDSHAKE: u8 = 22;

/// What the first bytes of a connection tell.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hello {
    /// More bytes are needed.
    Partial,
    /// Not TLS, or TLS that names nobody.
    Nameless,
    /// TLS for this name, in lower case.
    Name(String),
}

/// Reads the server name of a TLS ClientHello.
pub(super) fn server_name(bytes: &[u8]) -> Hello {
    match bytes {
        [] => Hello::Partial,
        // A handshake record of TLS.
        [HANDSHAKE, ..] => match read_records(bytes) {
            Ok(hello) => hello,
            Err(Short) => Hello::Partial,
        },
        _ => Hello::Nameless,
    }
}

struct Short;

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Short> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self, width: usize) -> Result<usize, Short> {
        let bytes = self.take(width)?;
        Ok(bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
    }

    /// A vector with its length in front.
    fn vector(&mut self, width: usize) -> Result<Cursor<'a>, Short> {
        let length = self.number(width)?;
        self.take(length).map(Cursor)
    }
}

/// Joins records: a message may be cut into several.
fn read_records(bytes: &[u8]) -> Result<Hello, Short> {
    let mut records = Cursor(bytes);
    let mut message = Vec::new();
    while !is_whole(&message) {
        if records.number(1)? != usize::from(HANDSHAKE) {
            return Ok(Hello::Nameless);
        }
        records.take(2)?;
        message.extend_from_slice(records.vector(2)?.0);
    }
    // From here on everything is there: what does not fit is not a ClientHello that names a host.
    Ok(read_hello(&mut Cursor(&message)).unwrap_or(Hello::Nameless))
}

/// Whether a handshake message is there to its end.
fn is_whole(message: &[u8]) -> bool {
    let mut head = Cursor(message);
    head.take(1).is_ok() && head.vector(3).is_ok()
}

fn read_hello(message: &mut Cursor<'_>) -> Result<Hello, Short> {
    if message.number(1)? != 1 {
        return Ok(Hello::Nameless);
    }
    let mut hello = message.vector(3)?;
    hello.take(2 + 32)?;
    hello.vector(1)?;
    hello.vector(2)?;
    hello.vector(1)?;
    let mut extensions = hello.vector(2)?;
    while !extensions.0.is_empty() {
        let kind = extensions.number(2)?;
        let mut extension = extensions.vector(2)?;
        if kind == 0 {
            let mut names = extension.vector(2)?;
            names.take(1)?;
            let name = names.vector(2)?.0;
            let name = String::from_utf8_lossy(name).to_ascii_lowercase();
            return Ok(Hello::Name(name));
        }
    }
    Ok(Hello::Nameless)
}
