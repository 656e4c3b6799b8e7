//! What is inside the messages of a replication connection.

use crate::postgres::place::Lsn;

/// What the server sends while it streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A message of logical replication.
    Data(Vec<u8>),
    /// All up to here has been sent.
    KeepAlive { end: Lsn },
}

/// A frame, and whether the server wants an answer. None if it is of no known kind.
pub(super) fn frame(payload: &[u8]) -> Option<(Frame, bool)> {
    let (kind, rest) = payload.split_first()?;
    match kind {
        b'w' => Some((Frame::Data(rest.get(24..)?.to_vec()), false)),
        b'k' => {
            let end = rest.get(..8)?.try_into().ok().map(u64::from_be_bytes)?;
            Some((Frame::KeepAlive { end: Lsn(end) }, *rest.get(16)? == 1))
        }
        _ => None,
    }
}

/// Says how far the stream was stored. The server may forget what is before.
pub(super) fn status(stored: Lsn, now: i64, wants_answer: bool) -> Vec<u8> {
    let mut payload = vec![b'r'];
    // Written, flushed and applied are one. If more were written, the server would not say how far an idle log goes.
    for _ in 0..3 {
        payload.extend_from_slice(&stored.0.to_be_bytes());
    }
    payload.extend_from_slice(&now.to_be_bytes());
    payload.push(u8::from(wants_answer));
    let length = u32::try_from(payload.len() + 4).unwrap_or(u32::MAX);
    [b"d".as_slice(), &length.to_be_bytes(), &payload].concat()
}

/// Code and primary message of an error.
pub(super) fn error_fields(payload: &[u8]) -> (Option<String>, String) {
    let (mut code, mut message) = (None, None);
    for field in payload.split(|byte| *byte == 0) {
        let Some((kind, text)) = field.split_first() else { continue };
        let text = || String::from_utf8_lossy(text).into_owned();
        match kind {
            b'C' => code = Some(text()),
            b'M' => message = Some(text()),
            _ => {}
        }
    }
    (code, message.unwrap_or_else(|| "the server has ended the stream".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read() {
        let data = [b"w".as_slice(), &[0; 24], b"xy"].concat();
        assert_eq!(frame(&data), Some((Frame::Data(b"xy".to_vec()), false)));
        let alive = [b"k".as_slice(), &[0, 0, 0, 0, 0, 0, 1, 0], &[0; 8], &[1]].concat();
        assert_eq!(frame(&alive), Some((Frame::KeepAlive { end: Lsn(256) }, true)));
        for bytes in [&data[..20], &alive[..17], b"", b"x"] {
            assert_eq!(frame(bytes), None);
        }
    }

    #[test]
    fn errors_have_a_code_and_a_message() {
        assert_eq!(error_fields(b"SERROR\0C55006\0Min use\0Dsecret\0\0"), (Some("55006".into()), "in use".into()));
        assert_eq!(error_fields(b"").0, None);
    }

    #[test]
    fn a_status_has_three_places() {
        let status = status(Lsn(5), 7, true);
        assert_eq!((status.len(), status[0], status[4], status[5]), (39, b'd', 38, b'r'));
    }
}
