//! Frames between the platform and the relay, used by both; the standard library only.
//!
//! Each frame is a kind, a stream number, a length and that many bytes. A side may send at most
//! [`WINDOW`] bytes of a stream beyond what the other side has said it consumed.

use std::io;

/// Largest payload of one frame.
pub const MAX_PAYLOAD: usize = 16 * 1024;
/// Bytes of one stream that may be under way in one direction.
pub const WINDOW: usize = 64 * 1024;
/// Bytes in front of each payload.
pub const HEADER: usize = 9;

/// What a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The relay listens everywhere it was told to.
    Ready = 1,
    /// A new stream; the payload says which listener was reached, or which port to dial.
    Open = 2,
    /// Bytes of a stream.
    Data = 3,
    /// The payload's number of bytes was consumed and may follow.
    Consumed = 4,
    /// No more bytes from this side.
    End = 5,
    /// The stream is broken.
    Reset = 6,
}

/// The first bytes of a frame.
pub fn header(kind: Kind, stream: u32, length: usize) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[0] = kind as u8;
    header[1..5].copy_from_slice(&stream.to_be_bytes());
    header[5..9].copy_from_slice(&(length as u32).to_be_bytes());
    header
}

/// Reads a header: kind, stream and length of the payload.
///
/// # Errors
/// `InvalidData` for an unknown kind or a payload over [`MAX_PAYLOAD`].
pub fn parse(header: [u8; HEADER]) -> io::Result<(Kind, u32, usize)> {
    let [kind, a, b, c, d, e, f, g, h] = header;
    let kind = match kind {
        1 => Kind::Ready,
        2 => Kind::Open,
        3 => Kind::Data,
        4 => Kind::Consumed,
        5 => Kind::End,
        6 => Kind::Reset,
        _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "unknown frame")),
    };
    let length = u32::from_be_bytes([e, f, g, h]) as usize;
    if length > MAX_PAYLOAD {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "frame too long"));
    }
    Ok((kind, u32::from_be_bytes([a, b, c, d]), length))
}

/// The number in the payload of [`Kind::Consumed`].
pub fn count(payload: &[u8]) -> usize {
    payload
        .try_into()
        .map_or(0, |bytes| u32::from_be_bytes(bytes) as usize)
}
