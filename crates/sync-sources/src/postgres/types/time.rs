//! Dates and times: infinite ones, and fractions of a fixed length.

use std::borrow::Cow;

/// A date. Infinite ones become the first and the last that sort as text.
pub(super) fn date(text: &str) -> &str {
    match text {
        "infinity" => "9999-12-31",
        "-infinity" => "0000-01-01",
        _ => text,
    }
}

/// A timestamp with a blank, without a zone; none if it is before the year 1, which is written in another form.
pub(super) fn timestamp(text: &str, utc: bool) -> Option<String> {
    match text {
        "infinity" => return Some("9999-12-31 23:59:59.999999".to_owned()),
        "-infinity" => return Some("0000-01-01 00:00:00".to_owned()),
        _ => {}
    }
    let text = if utc { text.strip_suffix("+00")? } else { text };
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"-: .".contains(&byte));
    is_plain.then(|| text.to_owned())
}

/// A timestamp with `T`, a padded fraction, and `Z` if it is in UTC.
pub(super) fn iso(text: &str, utc: bool, digits: u8) -> String {
    let Some(plain) = timestamp(text, utc) else { return text.to_owned() };
    let padded = padded(&plain.replacen(' ', "T", 1), digits);
    if utc { format!("{padded}Z") } else { padded }
}

/// As [`iso`], with a blank, and the fraction as it is.
pub(super) fn blank(text: &str, utc: bool) -> Cow<'_, str> {
    match timestamp(text, utc) {
        Some(plain) if utc => Cow::Owned(format!("{plain}Z")),
        Some(plain) => Cow::Owned(plain),
        None => Cow::Borrowed(text),
    }
}

/// A time with a padded fraction. A zone stays.
pub(super) fn time(text: &str, digits: u8) -> String {
    let zone = text.find(['+', '-']).unwrap_or(text.len());
    let (time, zone) = text.split_at_checked(zone).unwrap_or((text, ""));
    format!("{}{zone}", padded(time, digits))
}

fn padded(text: &str, digits: u8) -> String {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if digits == 0 {
        return whole.to_owned();
    }
    let fraction: String = fraction.chars().chain(std::iter::repeat('0')).take(usize::from(digits)).collect();
    format!("{whole}.{fraction}")
}
