//! A line as JSON text: decoding it never fails badly, gives what a second decoder over `serde_json`'s values gives, and
//! the same as decoding its BSON.

use rowtide_protocol::{ProtocolErrorKind, Scratch, decode_binary, decode_text};
use rowtide_testkit::bson;
use serde_json::Value;

use crate::expected_line::{depends_on_encoding, of_decoded, read, with_defaults};

/// Runs the target.
pub(crate) fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let decoded = decoded_text(&text);
    let Ok(value) = serde_json::from_str::<Value>(&text) else {
        assert!(decoded.is_none() || is_lenient(&text), "what serde_json refuses was decoded: {decoded:?}");
        return;
    };
    if depends_on_encoding(&value) {
        return;
    }
    let expected = read(&value).map(with_defaults);
    // Written again, the line has no member twice, of which the text may have had one that is no value of its kind.
    let plain = value.to_string();
    assert_eq!(decoded_text(&plain), expected, "{plain}");
    if let Some(decoded) = decoded {
        assert_eq!(Some(decoded), expected);
    }
    if value.is_object() {
        let document = bson::encode(&value);
        let mut scratch = Scratch::new();
        let binary = decode_binary(&document, &mut scratch).ok();
        assert_eq!(binary.map(|line| of_decoded(&line)), expected, "the BSON of {plain}");
    }
}

/// What the decoder gives; None for an error, which must say where it is.
fn decoded_text(text: &str) -> Option<Value> {
    let mut scratch = Scratch::new();
    match decode_text(text, &mut scratch) {
        Ok(line) => Some(of_decoded(&line)),
        Err(error) => {
            let message = error.to_string();
            assert!(error.kind() == ProtocolErrorKind::Line && message.contains(" at byte "), "{message}");
            None
        }
    }
}

/// Whether a text may be a line although it is no JSON that `serde_json` reads: with bare `NaN` and `Infinity`, control
/// characters and lone surrogates in strings, and numbers beyond reals.
fn is_lenient(text: &str) -> bool {
    let has_surrogate = ["\\ud", "\\uD"].iter().any(|escape| text.contains(escape));
    let has_large_number =
        text.contains(['e', 'E']) || text.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() > 300);
    text.contains("NaN") || text.contains("Infinity") || text.contains(|c| c < ' ') || has_surrogate || has_large_number
}
