//! Places in the server's log, and the positions that they are part of.
//!
//! A position is text: the *epoch* of the slot, 8 hexadecimal digits; a place in the log, 16 digits; and, if the stream made
//! it, the place of the last commit that the stream gave, 16 digits. The epoch is when the slot was created. Each slot begins
//! a new one, so positions never go back, not even to a server whose log is shorter; and a position of another slot is
//! recognized. The last commit tells a log that was restored from a backup, and went on differently, from the one that the
//! position is of.

use std::fmt;

use sync_engine::row::Position;
use sync_engine::source::SourceError;

use crate::error::position_lost;

/// A place in the log of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Lsn(pub(crate) u64);

impl Lsn {
    /// Reads `16/B374D848`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (high, low) = text.split_once('/')?;
        let half = |text: &str| {
            let is_hex = (1..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_hex.then(|| u64::from_str_radix(text, 16).ok()).flatten()
        };
        Some(Self(half(high)? << 32 | half(low)?))
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:X}/{:X}", self.0 >> 32, self.0 & 0xffff_ffff)
    }
}

/// What a position says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Of the slot.
    pub(crate) epoch: u32,
    pub(crate) lsn: Lsn,
    /// The end of the last transaction at or before `lsn`, if the stream has given one.
    pub(crate) last_commit: Option<Lsn>,
}

impl Place {
    pub(crate) fn to_position(self) -> Position {
        let Self { epoch, lsn, last_commit } = self;
        Position(match last_commit {
            None => format!("{epoch:08x}{:016x}", lsn.0).into_bytes(),
            Some(last) => format!("{epoch:08x}{:016x}{:016x}", lsn.0, last.0).into_bytes(),
        })
    }

    /// # Errors
    /// It is a position of another kind of source.
    pub(crate) fn of_position(position: &Position) -> Result<Self, SourceError> {
        parse(&position.0).ok_or_else(|| position_lost("the position is of another kind of source"))
    }
}

fn parse(bytes: &[u8]) -> Option<Place> {
    let text = std::str::from_utf8(bytes).ok()?;
    let is_position = [24, 40].contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_position {
        return None;
    }
    let (epoch, rest) = text.split_at_checked(8)?;
    let (lsn, last) = rest.split_at_checked(16)?;
    let number = |text: &str| u64::from_str_radix(text, 16).ok().map(Lsn);
    let last_commit = if last.is_empty() { None } else { Some(number(last)?) };
    Some(Place { epoch: u32::from_str_radix(epoch, 16).ok()?, lsn: number(lsn)?, last_commit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_as_the_server_writes_them() {
        let lsn = Lsn::parse("16/B374D848").unwrap();
        assert_eq!((lsn, lsn.to_string()), (Lsn(0x16_b374_d848), "16/B374D848".to_owned()));
        for wrong in ["", "1", "/", "1/", "/1", "1/123456789", "x/1", "+1/1", "1/1/1"] {
            assert_eq!(Lsn::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn positions_are_in_the_order_of_the_log_and_of_slots() {
        let place =
            |epoch, lsn, last_commit: Option<u64>| Place { epoch, lsn: Lsn(lsn), last_commit: last_commit.map(Lsn) };
        let ordered =
            [place(1, 5, None), place(1, 0x10, None), place(1, 0x10, Some(5)), place(1, 0x11, None), place(2, 1, None)];
        assert!(ordered.windows(2).all(|pair| pair[0].to_position() < pair[1].to_position()));
        for place in ordered {
            assert_eq!(Place::of_position(&place.to_position()), Ok(place));
        }
        for wrong in ["", "00000001", "0000000100000000000000zz"] {
            assert!(Place::of_position(&Position(wrong.into())).is_err());
        }
        assert!(Place::of_position(&Position::from_number(7)).is_err());
    }
}
