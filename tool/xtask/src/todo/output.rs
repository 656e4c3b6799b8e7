//! Compares what a program printed with what the scenario expects.

use std::collections::BTreeMap;

/// The texts that names such as `{milk}` stand for.
pub(super) type Names = BTreeMap<String, String>;

/// A line that stands for any number of lines.
const ANY: &str = "…";

/// The lines of a text, without empty ones at its end.
pub(super) fn lines(text: &str) -> Vec<&str> {
    text.trim_end().lines().collect()
}

/// Whether the lines are as expected; then `names` gets those that are new.
pub(super) fn matches<E: AsRef<str>>(printed: &[&str], expected: &[E], names: &mut Names) -> bool {
    let Some((first, rest)) = expected.split_first() else { return printed.is_empty() };
    if first.as_ref() == ANY {
        return (0..=printed.len()).any(|skipped| matches(printed.get(skipped..).unwrap_or_default(), rest, names));
    }
    let Some((line, others)) = printed.split_first() else { return false };
    let mut found = names.clone();
    if is_line(line, first.as_ref(), &mut found) && matches(others, rest, &mut found) {
        *names = found;
        return true;
    }
    false
}

/// Whether a line is as expected; at most one name of a line can be new.
fn is_line(line: &str, expected: &str, names: &mut Names) -> bool {
    let expected = filled_in(expected, names);
    let Some((before, name, after)) = first_name(&expected) else { return line == expected };
    let Some(text) = line.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)) else { return false };
    if text.is_empty() {
        return false;
    }
    names.insert(name.to_owned(), text.to_owned());
    true
}

/// A text with all known names replaced by what they stand for.
pub(super) fn filled_in(text: &str, names: &Names) -> String {
    names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

fn first_name(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_must_be_as_expected() {
        let is = |printed: &str, expected: &[&str]| matches(&lines(printed), expected, &mut Names::new());
        assert!(is("a\nb\n\n", &["a", "b"]));
        assert!(is("", &[]));
        for (expected, is_same) in [
            (&["…"][..], true),
            (&["…", "c"], true),
            (&["a", "…"], true),
            (&["a", "…", "b", "…", "c", "…"], true),
            (&["a", "c"], false),
            (&["…", "b"], false),
            (&["a", "b", "c", "d"], false),
            (&["a", "b"], false),
        ] {
            assert_eq!(is("a\nb\nc", expected), is_same, "{expected:?}");
        }
    }

    #[test]
    fn a_name_is_the_same_text_everywhere() {
        let mut names = Names::new();
        assert!(matches(&["[ ] Milk (7)", "7"], &["[ ] Milk ({milk})", "{milk}"], &mut names));
        assert_eq!(filled_in("done {milk} {other}", &names), "done 7 {other}");
        assert!(!matches(&["[ ] Milk (8)"], &["[ ] Milk ({milk})"], &mut names));
        assert!(!matches(&["()"], &["({empty})"], &mut names));
        assert!(matches(&["(1)", "(2)", "2"], &["…", "({x})", "{x}"], &mut names), "the first try is forgotten");
    }
}
