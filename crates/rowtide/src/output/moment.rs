//! Points in time, as people read them.

use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

use super::text::counted;

/// Microseconds since 1970 as a date and a time, and how long ago that was.
pub(crate) fn moment(microseconds: i64) -> String {
    let Ok(at) = OffsetDateTime::from_unix_timestamp(microseconds.div_euclid(1_000_000)) else {
        return format!("an impossible time ({microseconds})");
    };
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second) = at.to_hms();
    let month = u8::from(month);
    let ago = ago(microseconds);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC, {ago}")
}

/// How long ago that was.
pub(crate) fn ago(microseconds: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
    between(microseconds, now)
}

fn between(then: i64, now: i64) -> String {
    let seconds = now.saturating_sub(then).div_euclid(1_000_000);
    let (is_ahead, seconds) = (seconds < 0, seconds.unsigned_abs());
    let length = match seconds {
        0..=1 => return "just now".to_owned(),
        2..=119 => counted(seconds, "second"),
        120..=7_199 => counted(seconds / 60, "minute"),
        7_200..=172_799 => counted(seconds / 3600, "hour"),
        _ => counted(seconds / 86_400, "day"),
    };
    if is_ahead { format!("in {length}") } else { format!("{length} ago") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_by_people() {
        let text = moment(1_700_000_000_123_456);
        assert!(text.starts_with("2023-11-14 22:13:20 UTC, "), "{text}");
        assert_eq!(moment(i64::MAX), format!("an impossible time ({})", i64::MAX));
        let at = |seconds: i64| between(0, seconds * 1_000_000);
        let all = [0, 5, 119, 120, 7_199, 7_200, 172_800, -60].map(at);
        let expected = [
            "just now",
            "5 seconds ago",
            "119 seconds ago",
            "2 minutes ago",
            "119 minutes ago",
            "2 hours ago",
            "2 days ago",
            "in 60 seconds",
        ];
        assert_eq!(all, expected);
    }
}
