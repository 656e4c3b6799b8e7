//! Lines of a stream as bytes: where one ends, what kind it is, and how one is made wrong.

use axum::body::Bytes;
use sync_engine::lines::{Encoding, Line};

/// What it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A checkpoint, or how it differs from the one before.
    Checkpoint,
    /// Seconds until the token expires, which also say that the service is there.
    KeepAlive,
    Other,
}

/// The kind of a line.
pub(super) fn kind(line: &[u8], encoding: Encoding) -> Kind {
    let name = match encoding {
        Encoding::Json { .. } => line.get(2..).and_then(|rest| rest.split(|byte| *byte == b'"').next()),
        // After the length of the document and the type of its element.
        Encoding::Bson => line.get(5..).and_then(|rest| rest.split(|byte| *byte == 0).next()),
    };
    match name {
        Some(b"checkpoint" | b"checkpoint_diff") => Kind::Checkpoint,
        Some(b"token_expires_in") => Kind::KeepAlive,
        _ => Kind::Other,
    }
}

/// Takes the first line of a chunk, which consists of whole ones.
pub(super) fn first(chunk: &mut Bytes, encoding: Encoding) -> Bytes {
    let length = match encoding {
        Encoding::Json { .. } => chunk.iter().position(|byte| *byte == b'\n').map(|end| end.saturating_add(1)),
        Encoding::Bson => chunk.first_chunk::<4>().and_then(|bytes| usize::try_from(u32::from_le_bytes(*bytes)).ok()),
    };
    chunk.split_to(length.unwrap_or(usize::MAX).clamp(1, chunk.len().max(1)).min(chunk.len()))
}

/// A line that says in how many seconds the token expires.
pub(super) fn keep_alive(seconds: i64, encoding: Encoding) -> Bytes {
    let mut line = Vec::new();
    // It is far shorter than lines may be.
    let _ = encoding.write(&Line::TokenExpiresIn(seconds), &mut line);
    line.into()
}

/// The line with its first checksum being another one; none if it has no checksum.
pub(super) fn with_wrong_checksum(line: &[u8], encoding: Encoding) -> Option<Bytes> {
    match encoding {
        Encoding::Json { .. } => {
            let name = b"\"checksum\":";
            let start = position(line, name)?.checked_add(name.len())?;
            let (before, rest) = line.split_at_checked(start)?;
            let end = rest.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'-')?;
            let (number, after) = rest.split_at_checked(end)?;
            let number: i32 = std::str::from_utf8(number).ok()?.parse().ok()?;
            Some([before, number.wrapping_add(1).to_string().as_bytes(), after].concat().into())
        }
        Encoding::Bson => {
            // Its type is before its name: an integer of four or eight bytes, the lowest first.
            let starts = [&b"\x10checksum\0"[..], b"\x12checksum\0"];
            let start = starts.iter().filter_map(|name| position(line, name)).min()?;
            let lowest = start.checked_add(starts[0].len())?;
            let mut line = line.to_vec();
            *line.get_mut(lowest)? ^= 1;
            Some(line.into())
        }
    }
}

fn position(line: &[u8], part: &[u8]) -> Option<usize> {
    line.windows(part.len()).position(|window| window == part)
}
