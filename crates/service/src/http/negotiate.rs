//! In which encoding a client wants the lines of its stream.

use sync_engine::lines::Encoding;

/// The content type of JSON lines.
pub(super) const NDJSON: &str = "application/x-ndjson";

/// The content type of BSON lines.
pub(super) const BSON: &str = "application/vnd.powersync.bson-stream";

/// The encoding that an `Accept` header prefers, and its content type. JSON, if it does not prefer the other one.
pub(super) fn encoding(accept: Option<&str>, raw_data: bool) -> (Encoding, &'static str) {
    let quality = |wanted: &str| accept.map_or(0, |accept| quality(accept, wanted));
    if quality(BSON) > quality(NDJSON) { (Encoding::Bson, BSON) } else { (Encoding::Json { raw_data }, NDJSON) }
}

/// How much a media type is wanted, in thousandths. A type that is named counts, not the wildcards that include it, or
/// `*/*` beside JSON would be BSON for some.
fn quality(accept: &str, wanted: &str) -> u32 {
    let mut best = 0;
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        if !parts.next().is_some_and(|name| name.eq_ignore_ascii_case(wanted)) {
            continue;
        }
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let weight = weight.map_or(Some(1.0), |weight| weight.parse::<f64>().ok()).unwrap_or(0.0);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
        let thousandths = (weight.clamp(0.0, 1.0) * 1000.0) as u32;
        best = best.max(thousandths);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bson_is_for_those_who_prefer_it() {
        for (accept, is_bson) in [
            (None, false),
            (Some("*/*"), false),
            (Some("application/x-ndjson"), false),
            (Some("application/vnd.powersync.bson-stream"), true),
            (Some("application/vnd.powersync.bson-stream;q=0.9,application/x-ndjson;q=0.8"), true),
            (Some("application/x-ndjson;q=0.9, application/vnd.powersync.bson-stream;q=0.8"), false),
            (Some("application/vnd.powersync.bson-stream;q=0, */*"), false),
            (Some("application/vnd.powersync.bson-stream;q=nonsense"), false),
        ] {
            assert_eq!(matches!(encoding(accept, true).0, Encoding::Bson), is_bson, "{accept:?}");
        }
    }
}
