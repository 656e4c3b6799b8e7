//! Commands that this program recommends, as they can be copied into a shell.

use std::path::Path;

/// How this program was called, so that the same works again.
pub(crate) fn program() -> String {
    // Cargo sets this for what it runs.
    if std::env::var_os("CARGO").is_some() {
        return "cargo run -q -p rowtide --".to_owned();
    }
    std::env::args().next().map_or_else(|| "rowtide".to_owned(), |name| quoted(&name))
}

/// A file in a command.
pub(crate) fn quoted_path(file: &Path) -> String {
    quoted(&file.display().to_string())
}

/// A word in a command.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |character: char| character.is_alphanumeric() || "/._-+:=@%,".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_are_quoted_where_a_shell_would_split_them() {
        assert_eq!(quoted("rowtide-demo/phone.db"), "rowtide-demo/phone.db");
        assert_eq!([quoted("$HOME"), quoted("")], ["'$HOME'", "''"]);
        assert_eq!(quoted("my demo/it's.db"), "'my demo/it'\\''s.db'");
    }
}
