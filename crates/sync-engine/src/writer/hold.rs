//! Why there is no checkpoint for now.

use crate::row::Position;

/// Until when checkpoints are withheld because rows may be ahead of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    Nothing,
    /// The source has not been asked yet where it is.
    UntilHead,
    /// Rows may show the source at a later position, up to this one.
    Until(Position),
}

impl Hold {
    /// The source is here now.
    pub(super) fn head(&mut self, head: &Position) {
        if *self == Self::UntilHead {
            *self = Self::Until(head.clone());
        }
    }

    /// Rows may be as new as this position.
    pub(super) fn raise(&mut self, position: &Position) {
        match self {
            Self::UntilHead => {}
            Self::Until(until) if *until >= *position => {}
            Self::Nothing | Self::Until(_) => *self = Self::Until(position.clone()),
        }
    }

    /// Whether rows may still be ahead of the position.
    pub(super) fn is_over(&self, position: Option<&Position>) -> bool {
        match self {
            Self::Nothing => true,
            Self::UntilHead => false,
            Self::Until(until) => position.is_some_and(|position| position >= until),
        }
    }

    /// The position that ends it, if known.
    pub(super) fn until(&self) -> Option<&Position> {
        if let Self::Until(until) = self { Some(until) } else { None }
    }
}
