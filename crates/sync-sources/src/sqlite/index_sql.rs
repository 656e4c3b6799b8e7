//! The expressions of an index, cut out of its `CREATE INDEX` statement: SQLite shows them nowhere else.

/// What is between the parentheses, at commas, and the condition of a partial index.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct IndexSql<'s> {
    pub(crate) parts: Vec<&'s str>,
    pub(crate) condition: Option<&'s str>,
}

/// Cuts a statement; none if it is not as expected.
pub(crate) fn parse(sql: &str) -> Option<IndexSql<'_>> {
    let mut depth = 0_usize;
    let mut parts = Vec::new();
    let (mut start, mut end) = (None, None);
    let mut condition = None;
    for (at, token) in tokens(sql) {
        match token {
            "(" => {
                depth = depth.saturating_add(1);
                if depth == 1 && start.is_none() {
                    start = Some(at.saturating_add(1));
                }
            }
            ")" => {
                depth = depth.checked_sub(1)?;
                if depth == 0 && end.is_none() {
                    parts.push(sql.get(start?..at)?);
                    end = Some(at);
                }
            }
            "," if depth == 1 && end.is_none() => parts.push(sql.get(start.replace(at.saturating_add(1))?..at)?),
            _ if depth == 0 && end.is_some() && condition.is_none() && token.eq_ignore_ascii_case("where") => {
                condition = Some(sql.get(at.saturating_add(token.len())..)?);
            }
            _ => {}
        }
    }
    end?;
    Some(IndexSql { parts: parts.into_iter().map(without_order).collect(), condition })
}

/// A part without `ASC` or `DESC`.
fn without_order(part: &str) -> &str {
    match tokens(part).last() {
        Some((at, token)) if token.eq_ignore_ascii_case("asc") || token.eq_ignore_ascii_case("desc") => {
            part.get(..at).unwrap_or(part)
        }
        _ => part,
    }
}

/// Words, quoted things and single characters, each with where it begins; no blanks and comments.
fn tokens(sql: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0_usize;
    std::iter::from_fn(move || {
        loop {
            let rest = sql.get(at..)?;
            let first = rest.chars().next()?;
            let length = match first {
                '\'' | '"' | '`' => quoted_length(rest, first),
                '[' => rest.find(']').map_or(rest.len(), |end| end.saturating_add(1)),
                '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
                '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end.saturating_add(2)),
                _ if is_word(first) => rest.find(|character| !is_word(character)).unwrap_or(rest.len()),
                _ => first.len_utf8(),
            };
            let start = at;
            at = at.saturating_add(length);
            if first.is_whitespace() || rest.starts_with("--") || rest.starts_with("/*") {
                continue;
            }
            return Some((start, rest.get(..length)?));
        }
    })
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_' || character == '$'
}

/// Up to the closing quote; a doubled one is none.
fn quoted_length(rest: &str, quote: char) -> usize {
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return at.saturating_add(1);
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_cut_at_their_own_commas_and_parentheses() {
        let cut = |sql| {
            let index = parse(sql).unwrap();
            (index.parts.iter().map(|part| part.trim().to_owned()).collect::<Vec<_>>(), index.condition.map(str::trim))
        };
        assert_eq!(cut("CREATE UNIQUE INDEX i ON t(a)"), (vec!["a".to_owned()], None));
        assert_eq!(
            cut(
                "CREATE UNIQUE INDEX \"i(\" ON \"t)\"\"(\" (substr(a, 1, 2) COLLATE NOCASE DESC, [b,(] asc) WHERE c = ') where'"
            ),
            (vec!["substr(a, 1, 2) COLLATE NOCASE".to_owned(), "[b,(]".to_owned()], Some("c = ') where'"))
        );
        assert_eq!(
            cut("CREATE UNIQUE INDEX i ON t(a -- , (\n, 'it''s' || /* ) */ b) where x IN (1, 2)"),
            (vec!["a -- , (".to_owned(), "'it''s' || /* ) */ b".to_owned()], Some("x IN (1, 2)"))
        );
        assert_eq!(parse("CREATE UNIQUE INDEX i ON t"), None);
    }
}
