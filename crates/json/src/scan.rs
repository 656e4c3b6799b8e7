//! Finding the next interesting byte of a JSON string, eight bytes at a time.
//!
//! A word-at-a-time search in safe code is within a few percent of a vectorised one here, because strings of lines
//! and rows are short or full of escapes; a library for it would cost size without a gain.

const LOW_BITS: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// The number of bytes that one step looks at.
pub(super) const STEP: usize = size_of::<u64>();

/// Marks the bytes of `word` that equal `byte`. The lowest mark is exact; higher ones may be wrong.
const fn equal_to(word: u64, byte: u8) -> u64 {
    let difference = word ^ LOW_BITS.wrapping_mul(byte as u64);
    difference.wrapping_sub(LOW_BITS) & !difference & HIGH_BITS
}

/// Marks the bytes of `word` that are control characters. The lowest mark is exact; higher ones may be wrong.
const fn control_characters(word: u64) -> u64 {
    word.wrapping_sub(LOW_BITS.wrapping_mul(0x20)) & !word & HIGH_BITS
}

/// The offset in `chunk` of the first quote or backslash.
#[inline]
pub(super) fn quote_or_backslash(chunk: [u8; STEP]) -> Option<usize> {
    let word = u64::from_le_bytes(chunk);
    first(equal_to(word, b'"') | equal_to(word, b'\\'))
}

/// The offset in `chunk` of the first quote, backslash or control character.
#[inline]
fn quote_backslash_or_control(chunk: [u8; STEP]) -> Option<usize> {
    let word = u64::from_le_bytes(chunk);
    first(equal_to(word, b'"') | equal_to(word, b'\\') | control_characters(word))
}

const fn first(marks: u64) -> Option<usize> {
    if marks == 0 { None } else { Some((marks.trailing_zeros() >> 3) as usize) }
}

/// The position of the first quote or backslash of `bytes` at or after `from`, or the end.
#[inline]
pub(super) fn find_quote_or_backslash(bytes: &[u8], from: usize) -> usize {
    find(bytes, from, quote_or_backslash, |byte| byte == b'"' || byte == b'\\')
}

/// The position of the first quote, backslash or control character of `bytes` at or after `from`, or the end.
#[inline]
pub fn find_quote_backslash_or_control(bytes: &[u8], from: usize) -> usize {
    find(bytes, from, quote_backslash_or_control, |byte| byte == b'"' || byte == b'\\' || byte < 0x20)
}

#[inline]
fn find(
    bytes: &[u8],
    from: usize,
    in_chunk: impl Fn([u8; STEP]) -> Option<usize>,
    is_found: impl Fn(u8) -> bool,
) -> usize {
    let mut position = from;
    while let Some(chunk) = bytes.get(position..).and_then(|rest| rest.first_chunk::<STEP>()) {
        match in_chunk(*chunk) {
            Some(offset) => return position + offset,
            None => position += STEP,
        }
    }
    while let Some(&byte) = bytes.get(position) {
        if is_found(byte) {
            break;
        }
        position += 1;
    }
    position
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_searches_equal_the_obvious_ones(
            bytes in proptest::collection::vec(prop_oneof![
                any::<u8>(), Just(b'"'), Just(b'\\'), Just(b'!'), Just(b'#'), Just(b'['), Just(b']'), Just(0x1f), Just(0x20), Just(0xa2),
            ], 0..40),
            from in 0_usize..40,
        ) {
            let from = from.min(bytes.len());
            let obvious = |is_found: fn(u8) -> bool| {
                bytes[from..].iter().position(|&byte| is_found(byte)).map_or(bytes.len(), |offset| from + offset)
            };
            prop_assert_eq!(find_quote_or_backslash(&bytes, from), obvious(|byte| byte == b'"' || byte == b'\\'));
            prop_assert_eq!(
                find_quote_backslash_or_control(&bytes, from),
                obvious(|byte| byte == b'"' || byte == b'\\' || byte < 0x20)
            );
        }
    }
}
