//! Puts generated text into a Markdown file, between marks.

use std::path::Path;

use anyhow::{Context, Result};

/// Replaces what is between `<!-- begin NAME -->` and `<!-- end NAME -->`.
///
/// # Errors
/// If the file cannot be read or written, or has no such marks.
pub fn replace(path: &Path, name: &str, text: &str) -> Result<()> {
    let old = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let new = replaced(&old, name, text).with_context(|| format!("{} has no marks of {name:?}", path.display()))?;
    std::fs::write(path, new).with_context(|| format!("cannot write {}", path.display()))
}

fn replaced(old: &str, name: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- begin {name} -->\n"), format!("<!-- end {name} -->"));
    let (before, rest) = old.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{}\n\n{end}{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let old = "a\n<!-- begin x -->\nold\n<!-- end x -->\nb <!-- end y -->";
        assert_eq!(
            replaced(old, "x", "new\n").as_deref(),
            Some("a\n<!-- begin x -->\n\nnew\n\n<!-- end x -->\nb <!-- end y -->")
        );
        assert_eq!(replaced(old, "y", "new"), None);
    }
}
