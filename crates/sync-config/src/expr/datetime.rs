//! `date`, `time`, `datetime`, `unixepoch` and `strftime`, with SQLite's calendar: milliseconds since noon on the first
//! Julian day. Only the modifiers `unixepoch` and `subsec` are known, and never the current time.

use super::Function;
use super::eval::EvalError;
use crate::value::{Numeric, Value, well_formed};

const DAY: i64 = 86_400_000;
/// The last millisecond of the year 9999.
const LAST: i64 = 464_269_060_799_999;
const UNIX_EPOCH: i64 = 210_866_760_000_000;

/// Letters of `strftime` that are supported.
pub(crate) const FORMAT_LETTERS: &str = "deFfHIjklmMpPRsSTuwWY%";

/// Calls a function; NULL where the text is no date.
pub(crate) fn call(function: Function, values: &[Value]) -> Result<Value, EvalError> {
    let (format, rest) = match (function, values) {
        (Function::Strftime, [format, rest @ ..]) => (format.as_text(), rest),
        _ => (None, values),
    };
    let Some((time, subsec)) = moment(rest)? else { return Ok(Value::Null) };
    let parts = Parts::of(time);
    Ok(match function {
        Function::Date => Value::Text(parts.date()),
        Function::Time => Value::Text(parts.time(subsec)),
        Function::Datetime => Value::Text(format!("{} {}", parts.date(), parts.time(subsec))),
        Function::Unixepoch if subsec => Value::real((time - UNIX_EPOCH) as f64 / 1000.0),
        Function::Unixepoch => Value::Integer(time.div_euclid(1000) - UNIX_EPOCH / 1000),
        _ => match format {
            Some(format) => strftime(&format, time, &parts, subsec)?,
            None => Value::Null,
        },
    })
}

/// The moment that the arguments name, and whether fractions of seconds are wanted.
fn moment(values: &[Value]) -> Result<Option<(i64, bool)>, EvalError> {
    let (Some(first), modifiers) = (values.first(), values.get(1..).unwrap_or_default()) else { return Ok(None) };
    let mut parsed = match first {
        Value::Null => return Ok(None),
        Value::Integer(value) => Parsed::number(*value as f64),
        Value::Real(value) => Parsed::number(*value),
        other => {
            let text = other.as_text().unwrap_or_default();
            if text.trim().to_ascii_lowercase().starts_with("now") || text.trim().eq_ignore_ascii_case("subsec") {
                return Err(EvalError("the current time is not deterministic"));
            }
            match parse(&text) {
                Some(parsed) => parsed,
                None => return Ok(None),
            }
        }
    };
    let mut subsec = false;
    for (index, modifier) in modifiers.iter().enumerate() {
        let Some(modifier) = modifier.as_text() else { return Ok(None) };
        match modifier.to_ascii_lowercase().as_str() {
            "subsec" | "subsecond" => subsec = true,
            "unixepoch" => {
                let seconds = parsed.raw.filter(|_| index == 0);
                let Some(seconds) = seconds else { return Ok(None) };
                let time = seconds * 1000.0 + UNIX_EPOCH as f64;
                if !(0.0..464_269_060_800_000.0).contains(&time) {
                    return Ok(None);
                }
                parsed.time = Some((time + 0.5) as i64);
            }
            _ => return Err(EvalError("this modifier of a date is not supported")),
        }
    }
    Ok(parsed.time.filter(|time| (0..=LAST).contains(time)).map(|time| (time, subsec)))
}

struct Parsed {
    time: Option<i64>,
    /// The number, when the value was just one.
    raw: Option<f64>,
}

impl Parsed {
    fn number(value: f64) -> Self {
        let valid = (0.0..5_373_484.5).contains(&value);
        Self { time: valid.then_some((value * DAY as f64 + 0.5) as i64), raw: Some(value) }
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    /// A number of exactly `digits` digits up to `max`.
    fn number(&mut self, digits: usize, max: i64) -> Option<i64> {
        let text = self.rest.get(..digits).filter(|text| text.bytes().all(|c| c.is_ascii_digit()))?;
        self.rest = self.rest.get(digits..)?;
        text.parse().ok().filter(|value| *value <= max)
    }

    fn skip(&mut self, c: char) -> bool {
        let rest = self.rest.strip_prefix(c);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// `HH:MM[:SS[.SSS]]` and a zone, in milliseconds.
    fn clock(&mut self) -> Option<i64> {
        let hours = self.number(2, 24)?;
        if !self.skip(':') {
            return None;
        }
        let minutes = self.number(2, 59)?;
        let mut milliseconds = 0;
        if self.skip(':') {
            let seconds = self.number(2, 59)?;
            let mut fraction = 0.0;
            let dot = self.rest.strip_prefix('.').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
            if let Some(rest) = dot {
                let length = rest.bytes().take_while(u8::is_ascii_digit).count();
                fraction = format!("0.{}", rest.get(..length)?).parse().ok()?;
                self.rest = rest.get(length..)?;
            }
            milliseconds = ((seconds as f64 + fraction) * 1000.0 + 0.5) as i64;
        }
        let zone = self.zone()?;
        Some(hours * 3_600_000 + minutes * 60_000 + milliseconds - zone * 60_000)
    }

    /// Minutes east of UTC; nothing else may follow.
    fn zone(&mut self) -> Option<i64> {
        self.rest = self.rest.trim_start_matches(|c: char| c.is_ascii_whitespace());
        let mut minutes = 0;
        let utc = self.skip('Z') || self.skip('z');
        if !utc && self.rest.starts_with(['+', '-']) {
            let negative = self.rest.starts_with('-');
            self.rest = self.rest.get(1..)?;
            let hours = self.number(2, 14)?;
            if !self.skip(':') {
                return None;
            }
            minutes = hours * 60 + self.number(2, 59)?;
            minutes = if negative { -minutes } else { minutes };
        }
        self.rest.trim_start_matches(|c: char| c.is_ascii_whitespace()).is_empty().then_some(minutes)
    }
}

fn parse(text: &str) -> Option<Parsed> {
    let at = |time| Some(Parsed { time: Some(time), raw: None });
    if let Some(time) = parse_date(text) {
        return at(time);
    }
    if let Some(clock) = (Reader { rest: text }).clock() {
        return at(julian(2000, 1, 1) + clock);
    }
    match well_formed(text)? {
        Numeric::Integer(value) => Some(Parsed::number(value as f64)),
        Numeric::Real(value) => Some(Parsed::number(value)),
    }
}

fn parse_date(text: &str) -> Option<i64> {
    let mut reader = Reader { rest: text };
    let negative = reader.skip('-');
    let year = reader.number(4, 9999)? * if negative { -1 } else { 1 };
    let dash = |reader: &mut Reader<'_>| reader.skip('-').then_some(());
    dash(&mut reader)?;
    let month = reader.number(2, 12).filter(|month| *month > 0)?;
    dash(&mut reader)?;
    let day = reader.number(2, 31).filter(|day| *day > 0)?;
    let start = julian(year, month, day);
    reader.rest = reader.rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == 'T');
    if reader.rest.is_empty() {
        return Some(start);
    }
    Some(start + reader.clock()?)
}

/// Midnight of a day.
fn julian(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month <= 2 { (year - 1, month + 12) } else { (year, month) };
    let century = (year + 4800) / 100;
    let leap = 38 - century + century / 4;
    let days = 36_525 * (year + 4716) / 100 + 306_001 * (month + 1) / 10_000 + day + leap - 1525;
    days * DAY + DAY / 2
}

struct Parts {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    millisecond: i64,
}

impl Parts {
    fn of(time: i64) -> Self {
        let z = (time + DAY / 2) / DAY;
        let alpha = ((z as f64 + 32_044.75) / 36_524.25) as i64 - 52;
        let b = z + 1 + alpha - (alpha + 100) / 4 + 25 + 1524;
        let c = ((b as f64 - 122.1) / 365.25) as i64;
        let d = 36_525 * (c & 32_767) / 100;
        let e = ((b - d) as f64 / 30.6001) as i64;
        let month = if e < 14 { e - 1 } else { e - 13 };
        let in_day = (time + DAY / 2) % DAY;
        Self {
            year: if month > 2 { c - 4716 } else { c - 4715 },
            month,
            day: b - d - (30.6001 * e as f64) as i64,
            hour: in_day / 3_600_000,
            minute: in_day / 60_000 % 60,
            millisecond: in_day % 60_000,
        }
    }

    fn date(&self) -> String {
        format!("{}-{:02}-{:02}", self.year_text(), self.month, self.day)
    }

    fn year_text(&self) -> String {
        let sign = if self.year < 0 { "-" } else { "" };
        format!("{sign}{:04}", self.year.abs())
    }

    fn time(&self, subsec: bool) -> String {
        let seconds = format!("{:02}:{:02}:{:02}", self.hour, self.minute, self.millisecond / 1000);
        if subsec { format!("{seconds}.{:03}", self.millisecond % 1000) } else { seconds }
    }
}

fn strftime(format: &str, time: i64, parts: &Parts, subsec: bool) -> Result<Value, EvalError> {
    let day_of_year = (time - julian(parts.year, 1, 1)) / DAY;
    // 0 is Sunday.
    let weekday = (time + 129_600_000) / DAY % 7;
    let twelve = if parts.hour % 12 == 0 { 12 } else { parts.hour % 12 };
    let mut out = String::new();
    let mut letters = format.chars();
    while let Some(c) = letters.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let piece = match letters.next() {
            Some('d') => format!("{:02}", parts.day),
            Some('e') => format!("{:2}", parts.day),
            Some('F') => parts.date(),
            Some('f') => format!("{:02}.{:03}", parts.millisecond / 1000, parts.millisecond % 1000),
            Some('H') => format!("{:02}", parts.hour),
            Some('I') => format!("{twelve:02}"),
            Some('j') => format!("{:03}", day_of_year + 1),
            Some('k') => format!("{:2}", parts.hour),
            Some('l') => format!("{twelve:2}"),
            Some('m') => format!("{:02}", parts.month),
            Some('M') => format!("{:02}", parts.minute),
            Some('p') => (if parts.hour >= 12 { "PM" } else { "AM" }).to_owned(),
            Some('P') => (if parts.hour >= 12 { "pm" } else { "am" }).to_owned(),
            Some('R') => format!("{:02}:{:02}", parts.hour, parts.minute),
            Some('s') if subsec => format!("{:.3}", (time - UNIX_EPOCH) as f64 / 1000.0),
            Some('s') => (time.div_euclid(1000) - UNIX_EPOCH / 1000).to_string(),
            Some('S') => format!("{:02}", parts.millisecond / 1000),
            Some('T') => parts.time(false),
            Some('u') => (if weekday == 0 { 7 } else { weekday }).to_string(),
            Some('w') => weekday.to_string(),
            Some('W') => format!("{:02}", (day_of_year + 7 - (weekday + 6) % 7) / 7),
            Some('Y') => parts.year_text(),
            Some('%') => "%".to_owned(),
            _ => return Err(EvalError("strftime has a format that is not supported")),
        };
        out.push_str(&piece);
    }
    Ok(Value::Text(out))
}
