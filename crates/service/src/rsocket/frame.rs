//! Frames of RSocket 1.0, each of which is one binary WebSocket message.
//!
//! A frame begins with the number of its stream (31 bits; 0 is the connection), its type (6 bits) and flags (10 bits).
//! Metadata have their length before them, in 24 bits; data are the rest. All numbers are big-endian.

use axum::body::Bytes;

/// Whether a frame that is not known may be ignored.
const IGNORE: u16 = 0x200;
const METADATA: u16 = 0x100;
const FOLLOWS: u16 = 0x80;
const RESUME: u16 = 0x80;
const RESPOND: u16 = 0x80;
const LEASE: u16 = 0x40;
const COMPLETE: u16 = 0x40;
const NEXT: u16 = 0x20;

/// The largest number of 31 bits.
const MAX_31: u32 = 0x7fff_ffff;

/// Codes of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorCode {
    InvalidSetup = 0x001,
    UnsupportedSetup = 0x002,
    RejectedSetup = 0x003,
    RejectedResume = 0x004,
    Connection = 0x101,
    ConnectionClose = 0x102,
    Application = 0x201,
    Rejected = 0x202,
    Invalid = 0x204,
}

/// A frame that a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Setup(Setup),
    KeepAlive {
        /// Whether it is to be answered.
        respond: bool,
        data: Bytes,
    },
    RequestStream {
        stream: u32,
        /// How many payloads the client takes at first.
        initial: u32,
        payload: Payload,
    },
    /// A request of another kind.
    OtherRequest(u32),
    RequestN {
        stream: u32,
        more: u32,
    },
    Cancel(u32),
    Payload {
        stream: u32,
        payload: Payload,
    },
    Error {
        stream: u32,
    },
    Resume,
    /// Something that needs no answer.
    Ignored,
}

/// How a connection begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setup {
    pub(super) major: u16,
    pub(super) has_lease: bool,
    pub(super) has_resume: bool,
    /// Time between keep-alive frames, in ms.
    pub(super) keep_alive: u32,
    /// How long the client may be silent, in ms.
    pub(super) lifetime: u32,
    pub(super) metadata_type: String,
    pub(super) data_type: String,
    pub(super) metadata: Bytes,
}

/// Metadata and data, or a part of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Payload {
    /// Whether more parts follow.
    pub(super) follows: bool,
    pub(super) metadata: Bytes,
    pub(super) data: Bytes,
}

/// A message that is no frame; what is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

/// Reads one frame after the other part of it.
struct Reader(Bytes);

impl Reader {
    fn take(&mut self, length: usize) -> Result<Bytes, Malformed> {
        if self.0.len() < length {
            return Err(Malformed("a frame ends too early"));
        }
        Ok(self.0.split_to(length))
    }

    fn number(&mut self, length: usize) -> Result<u32, Malformed> {
        Ok(self.take(length)?.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    fn short(&mut self) -> Result<u16, Malformed> {
        Ok(u16::try_from(self.number(2)?).unwrap_or_default())
    }

    /// A number of 31 bits, above 0.
    fn positive(&mut self, what: &'static str) -> Result<u32, Malformed> {
        match self.number(4)? & MAX_31 {
            0 => Err(Malformed(what)),
            number => Ok(number),
        }
    }

    fn name(&mut self) -> Result<String, Malformed> {
        let length = self.number(1)? as usize;
        let name = self.take(length)?;
        String::from_utf8(name.to_vec()).map_err(|_| Malformed("a MIME type is not ASCII"))
    }

    fn metadata(&mut self, flags: u16) -> Result<Bytes, Malformed> {
        if flags & METADATA == 0 {
            return Ok(Bytes::new());
        }
        let length = self.number(3)? as usize;
        self.take(length)
    }

    fn payload(mut self, flags: u16) -> Result<Payload, Malformed> {
        let metadata = self.metadata(flags)?;
        Ok(Payload { follows: flags & FOLLOWS != 0, metadata, data: self.0 })
    }

    fn setup(mut self, flags: u16) -> Result<Setup, Malformed> {
        let (major, _minor) = (self.short()?, self.short()?);
        let keep_alive = self.positive("the time between keep-alives must be above 0")?;
        let lifetime = self.positive("the lifetime must be above 0")?;
        let has_resume = flags & RESUME != 0;
        if has_resume {
            let length = usize::from(self.short()?);
            self.take(length)?;
        }
        let (metadata_type, data_type) = (self.name()?, self.name()?);
        let has_lease = flags & LEASE != 0;
        let metadata = self.metadata(flags)?;
        Ok(Setup { major, has_lease, has_resume, keep_alive, lifetime, metadata_type, data_type, metadata })
    }
}

impl Frame {
    /// Reads a message.
    pub(super) fn decode(message: Bytes) -> Result<Self, Malformed> {
        let mut rest = Reader(message);
        let stream = rest.number(4)? & MAX_31;
        let head = rest.short()?;
        let flags = head & 0x3ff;
        Ok(match head >> 10 {
            0x01 => Self::Setup(rest.setup(flags)?),
            0x03 => {
                rest.take(8)?;
                Self::KeepAlive { respond: flags & RESPOND != 0, data: rest.0 }
            }
            0x04 | 0x05 | 0x07 => Self::OtherRequest(stream),
            0x06 => {
                let initial = rest.positive("a request must ask for at least one payload")?;
                Self::RequestStream { stream, initial, payload: rest.payload(flags)? }
            }
            0x08 => Self::RequestN { stream, more: rest.positive("a client must ask for at least one more payload")? },
            0x09 => Self::Cancel(stream),
            0x0a => Self::Payload { stream, payload: rest.payload(flags)? },
            0x0b => {
                rest.take(4)?;
                Self::Error { stream }
            }
            0x0d => Self::Resume,
            // Metadata for the connection; leases of the client, which only bind the service's own requests.
            0x02 | 0x0c => Self::Ignored,
            _ if flags & IGNORE != 0 => Self::Ignored,
            _ => return Err(Malformed("the type of a frame is not known")),
        })
    }
}

fn head(stream: u32, kind: u16, flags: u16, capacity: usize) -> Vec<u8> {
    let mut frame = Vec::with_capacity(capacity.saturating_add(6));
    frame.extend((stream & MAX_31).to_be_bytes());
    frame.extend((kind << 10 | flags).to_be_bytes());
    frame
}

/// A keep-alive, which the client answers if `respond` is set.
pub(super) fn keep_alive(respond: bool, data: &[u8]) -> Vec<u8> {
    let mut frame = head(0, 0x03, if respond { RESPOND } else { 0 }, data.len().saturating_add(8));
    frame.extend([0; 8]);
    frame.extend(data);
    frame
}

/// The next data of a stream.
pub(super) fn next(stream: u32, data: &[u8]) -> Vec<u8> {
    let mut frame = head(stream, 0x0a, NEXT, data.len());
    frame.extend(data);
    frame
}

/// The end of a stream that is complete.
pub(super) fn complete(stream: u32) -> Vec<u8> {
    head(stream, 0x0a, COMPLETE, 0)
}

/// An error of a stream, which ends it, or of the connection.
pub(super) fn error(stream: u32, code: ErrorCode, message: &str) -> Vec<u8> {
    let mut frame = head(stream, 0x0b, 0, message.len().saturating_add(4));
    frame.extend((code as u32).to_be_bytes());
    frame.extend(message.as_bytes());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(hex: &str) -> Result<Frame, Malformed> {
        let hex: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let digit = |byte: u8| char::from(byte).to_digit(16).unwrap() as u8;
        Frame::decode(hex.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect::<Vec<u8>>().into())
    }

    #[test]
    fn frames_are_read() {
        let setup = decode("00000000 0500 0001 0000 00004e20 00007530 04 61626364 03 787a79 000002 6d6d 64");
        let Ok(Frame::Setup(setup)) = setup else { panic!("{setup:?}") };
        let expected = ((1, 20_000, 30_000), ("abcd", "xzy"), &b"mm"[..], (false, false));
        let read = ((setup.major, setup.keep_alive, setup.lifetime), (&*setup.metadata_type, &*setup.data_type));
        assert_eq!((read.0, read.1, &setup.metadata[..], (setup.has_lease, setup.has_resume)), expected);
        let payload = |follows, metadata: &'static str, data: &'static str| Payload {
            follows,
            metadata: Bytes::from_static(metadata.as_bytes()),
            data: Bytes::from_static(data.as_bytes()),
        };
        for (hex, expected) in [
            (
                "00000000 0c80 0000000000000000 6162",
                Frame::KeepAlive { respond: true, data: Bytes::from_static(b"ab") },
            ),
            (
                "00000001 1900 0000000a 000001 6d 6464",
                Frame::RequestStream { stream: 1, initial: 10, payload: payload(false, "m", "dd") },
            ),
            (
                "80000003 1880 7fffffff 64",
                Frame::RequestStream { stream: 3, initial: 0x7fff_ffff, payload: payload(true, "", "d") },
            ),
            ("00000001 2000 00000005", Frame::RequestN { stream: 1, more: 5 }),
            ("00000001 2400", Frame::Cancel(1)),
            ("00000001 2880 6161", Frame::Payload { stream: 1, payload: payload(true, "", "aa") }),
            ("00000001 1000 61", Frame::OtherRequest(1)),
            ("00000000 2c00 00000101 61", Frame::Error { stream: 0 }),
            ("00000000 3400", Frame::Resume),
            ("00000000 3000 61", Frame::Ignored),
            ("00000000 fe00", Frame::Ignored),
        ] {
            assert_eq!(decode(hex), Ok(expected), "{hex}");
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for hex in [
            "",
            "00000000 05",
            "00000000 0500",
            "00000000 0500 0001 0000 00000000 00007530 00 00",
            "00000001 1900 00000000 64",
            "00000001 1900 00000001 0000ff 64",
            "00000001 2000 00000000",
            "00000000 0c80 00",
            "00000000 fc00",
        ] {
            assert!(decode(hex).is_err(), "{hex}");
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused() {
        let mut state = 1_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize
        };
        let mut read = 0;
        for _ in 0..100_000 {
            let mut message: Vec<u8> = (0..random() % 48).map(|_| random() as u8).collect();
            // Known types more often than chance would have it.
            if let Some(kind) = message.get_mut(4) {
                *kind = ((random() % 16) as u8 * 4) | (random() % 4) as u8;
            }
            read += usize::from(Frame::decode(message.into()).is_ok());
        }
        assert!(read > 1_000);
    }

    #[test]
    fn frames_are_written() {
        assert_eq!(next(1, b"ab"), b"\0\0\0\x01\x28\x20ab");
        assert_eq!(complete(3), b"\0\0\0\x03\x28\x40");
        assert_eq!(keep_alive(false, b"x"), b"\0\0\0\0\x0c\0\0\0\0\0\0\0\0\0x");
        assert_eq!(keep_alive(true, b""), b"\0\0\0\0\x0c\x80\0\0\0\0\0\0\0\0");
        assert_eq!(error(0, ErrorCode::RejectedSetup, "no"), b"\0\0\0\0\x2c\0\0\0\0\x03no");
    }
}
