//! Values within values: the texts of arrays, composites and ranges, and texts within SQL.

/// Arrays have at most six dimensions.
const MAX_DEPTH: usize = 8;

/// What an array holds, in order.
pub(super) enum Item<'t> {
    Open,
    Close,
    Element(Option<String>),
    /// A text that is not quoted and has no escapes, the most common kind.
    Plain(&'t str),
}

/// Reads the text of an array. Stops, with none, where it is not one, or where `take` does.
pub(super) fn array(text: &str, delimiter: u8, mut take: impl FnMut(Item<'_>) -> Option<()>) -> Option<()> {
    // Bounds that are not the usual ones come first: `[0:1]={a,b}`.
    let text = if text.starts_with('[') { text.split_once('=')?.1 } else { text };
    let mut rest = text;
    let mut depth = 0_usize;
    loop {
        // An element, or the beginning of an array.
        if let Some(inner) = rest.strip_prefix('{') {
            depth += 1;
            if depth > MAX_DEPTH {
                return None;
            }
            take(Item::Open)?;
            rest = inner;
            if !rest.starts_with('}') {
                continue;
            }
        } else if depth == 0 {
            return None;
        } else if let Some(quoted) = rest.strip_prefix('"') {
            let (element, after) = self::quoted(quoted)?;
            take(Item::Element(Some(element)))?;
            rest = after;
        } else {
            let end = rest.bytes().position(|byte| byte == delimiter || byte == b'}')?;
            let (element, after) = rest.split_at_checked(end)?;
            take(if element.eq_ignore_ascii_case("NULL") { Item::Element(None) } else { Item::Plain(element) })?;
            rest = after;
        }
        // The ends of arrays, and then perhaps another element.
        while let Some(after) = rest.strip_prefix('}') {
            take(Item::Close)?;
            depth -= 1;
            rest = after;
            if depth == 0 {
                return rest.is_empty().then_some(());
            }
        }
        rest = rest.strip_prefix(char::from(delimiter))?;
    }
}

/// A text up to its quote, and what follows. Characters after a backslash stand for themselves, and so do quotes in pairs.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let end = rest.find(['"', '\\'])?;
        let (part, after) = rest.split_at_checked(end)?;
        value.push_str(part);
        let mut characters = after.chars();
        match (characters.next()?, after.get(1..)?.chars().next()) {
            ('\\', Some(escaped)) => {
                value.push(escaped);
                characters.next();
                rest = characters.as_str();
            }
            ('"', Some('"')) => {
                value.push('"');
                characters.next();
                rest = characters.as_str();
            }
            ('"', _) => return Some((value, characters.as_str())),
            _ => return None,
        }
    }
}

/// The fields of a composite or a range, without what encloses them. An empty one is NULL.
pub(super) fn fields(text: &str) -> Option<Vec<Option<String>>> {
    let mut fields = Vec::new();
    let mut field: Option<String> = None;
    let mut rest = text;
    loop {
        let Some(next) = rest.chars().next() else {
            fields.push(field);
            return Some(fields);
        };
        let after = rest.get(next.len_utf8()..)?;
        match next {
            ',' => {
                fields.push(field.take());
                rest = after;
            }
            '"' => {
                let (part, after) = quoted(after)?;
                field.get_or_insert_default().push_str(&part);
                rest = after;
            }
            '\\' => {
                let escaped = after.chars().next()?;
                field.get_or_insert_default().push(escaped);
                rest = after.get(escaped.len_utf8()..)?;
            }
            _ => {
                field.get_or_insert_default().push(next);
                rest = after;
            }
        }
    }
}

/// The end of the range that the text begins with.
pub(super) fn range_end(text: &str) -> Option<usize> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b')' | b']' if !is_quoted => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// A text as a literal of SQL, with `standard_conforming_strings`.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name in SQL.
pub(crate) fn quote_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The text of an array of these texts.
pub(crate) fn array_literal<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    let quoted: Vec<String> =
        texts.map(|text| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))).collect();
    format!("{{{}}}", quoted.join(","))
}
