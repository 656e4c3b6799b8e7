//! A line as BSON: decoding it never fails badly, and gives what a second reader of BSON and a second decoder give.

use rowtide_protocol::{ProtocolErrorKind, Scratch, decode_binary};
use rowtide_testkit::bson;

use crate::expected_line::{depends_on_encoding, of_decoded, read, with_defaults};

/// Runs the target.
pub(crate) fn run(input: &[u8]) {
    let decoded = {
        let mut scratch = Scratch::new();
        match decode_binary(input, &mut scratch) {
            Ok(line) => Some(of_decoded(&line)),
            Err(error) => {
                let message = error.to_string();
                assert!(error.kind() == ProtocolErrorKind::Line && message.contains(" at byte "), "{message}");
                None
            }
        }
    };
    let value = bson::try_decode(input);
    let Some(value) = value.filter(|value| !depends_on_encoding(value)) else { return };
    let expected = read(&value).map(with_defaults);
    if let Some(decoded) = decoded {
        assert_eq!(Some(decoded), expected);
    }
    // Written again, the document has no member twice, and its lengths are right.
    let document = bson::encode(&value);
    let mut scratch = Scratch::new();
    let again = decode_binary(&document, &mut scratch).ok();
    assert_eq!(again.map(|line| of_decoded(&line)), expected);
}
