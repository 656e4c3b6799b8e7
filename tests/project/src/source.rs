//! Names that only the code knows: those that it compares members and commands with. They are read from its `match` arms,
//! such as `"start" => …`.

use std::collections::BTreeSet;
use std::io;

use crate::repository;

/// Where a kind of names is in the code.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The file.
    pub path: &'static str,
    /// The function, or the empty text for the whole file.
    pub function: &'static str,
}

impl Place {
    /// The names in the code.
    ///
    /// # Errors
    /// The file cannot be read, or has no such names: it moved, or changed its form.
    pub fn names(self) -> io::Result<BTreeSet<String>> {
        let Place { path, function } = self;
        let names = names_in(&repository::read(path)?, function);
        if names.is_empty() {
            return Err(io::Error::other(format!("{path}: no names are compared in function {function:?}")));
        }
        Ok(names)
    }
}

/// The string literals on the left of `=>` in a function of a file; tests do not count.
fn names_in(text: &str, function: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let starts = [format!("fn {function}("), format!("fn {function}<")];
    let mut is_in = function.is_empty();
    let mut names = BTreeSet::new();
    for line in code.lines() {
        if !function.is_empty() {
            // Functions end where a line has no indentation again.
            is_in = if is_in { !line.starts_with('}') } else { starts.iter().any(|start| line.contains(start)) };
        }
        if let (true, Some((left, _))) = (is_in, line.split_once("=>")) {
            names.extend(left.split('"').skip(1).step_by(2).map(str::to_owned));
        }
    }
    names
}

/// The names of the variants of a public `enum` in a file, without those of others.
///
/// # Errors
/// The file cannot be read, or has no such type.
pub fn variants(path: &str, name: &str) -> io::Result<BTreeSet<String>> {
    let variants = variants_in(&repository::read(path)?, name);
    if variants.is_empty() {
        return Err(io::Error::other(format!("{path}: there is no enum {name}")));
    }
    Ok(variants)
}

fn variants_in(text: &str, name: &str) -> BTreeSet<String> {
    let start = format!("enum {name} {{");
    let is_start = |line: &str| line.strip_prefix("pub(crate) ").or(line.strip_prefix("pub ")) == Some(&start);
    let lines = text.lines().skip_while(|line| !is_start(line)).skip(1).take_while(|line| *line != "}");
    let variants = lines.filter_map(|line| line.strip_prefix("    "));
    variants
        .filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()))
        .map(|line| line.chars().take_while(|character| character.is_alphanumeric()).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_match_arms() {
        let code = "fn a(x: &str) {\n    match x {\n        \"one\" | \"two\" => 1,\n        _ => \"three\",\n    }\n}\n\
                    fn b() {\n    \"four\" => 1\n}\n#[cfg(test)]\nfn a(\n \"five\" => 1\n";
        let code = &code.replace("fn b()", "fn b<'a>()");
        let names = |function| names_in(code, function).into_iter().collect::<Vec<_>>();
        assert_eq!(names("a"), ["one", "two"]);
        assert_eq!(names(""), ["four", "one", "two"]);
        assert_eq!(names("b"), ["four"]);
        assert!(names("c").is_empty());
    }

    #[test]
    fn variants_are_those_of_one_type() {
        let code = "pub enum Other {\n    No,\n}\npub(crate) enum Kind {\n    /// Text.\n    One,\n    Two {\n        /// Text.\n        \
                    field: u8,\n    },\n    Three(u8),\n}\n";
        assert_eq!(variants_in(code, "Kind").into_iter().collect::<Vec<_>>(), ["One", "Three", "Two"]);
    }
}
