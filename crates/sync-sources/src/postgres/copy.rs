//! Reads the text format of `COPY`.

use std::borrow::Cow;

/// The fields of a line, without its end; none is NULL.
pub(crate) fn fields(line: &[u8]) -> impl Iterator<Item = Option<Cow<'_, [u8]>>> {
    // Tabs and ends of lines within values are escaped.
    line.split(|byte| *byte == b'\t').map(|field| (field != b"\\N").then(|| unescaped(field)))
}

fn unescaped(field: &[u8]) -> Cow<'_, [u8]> {
    if !field.contains(&b'\\') {
        return Cow::Borrowed(field);
    }
    let mut value = Vec::with_capacity(field.len());
    let mut bytes = field.iter();
    while let Some(byte) = bytes.next() {
        value.push(match (byte, byte == &b'\\') {
            (byte, false) => *byte,
            (_, true) => match bytes.next() {
                Some(b'b') => 8,
                Some(b'f') => 12,
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'v') => 11,
                Some(other) => *other,
                None => b'\\',
            },
        });
    }
    Cow::Owned(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &[u8]) -> Vec<Option<Vec<u8>>> {
        fields(line).map(|field| field.map(Cow::into_owned)).collect()
    }

    #[test]
    fn fields_are_unescaped() {
        let some = |text: &str| Some(text.as_bytes().to_vec());
        assert_eq!(read(b"1\t\\N\t\t\\\\N"), [some("1"), None, some(""), some("\\N")]);
        assert_eq!(read(b"\\b\\f\\n\\r\\t\\v\\\\x"), [some("\u{8}\u{c}\n\r\t\u{b}\\x")]);
        assert_eq!(read(b"a\\"), [some("a\\")]);
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut rng = fastrand::Rng::with_seed(3);
        for _ in 0..10_000 {
            let line: Vec<u8> = (0..rng.usize(..20)).map(|_| *rng.choice(b"\\\tNnx\xff").unwrap()).collect();
            let _ = read(&line);
        }
    }
}
