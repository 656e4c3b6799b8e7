//! The languages, and how to run their program: the table of `docs/examples/README.md`.

use anyhow::{Context, Result, ensure};

/// A row of the table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Language {
    pub(super) name: String,
    /// What has to be done once, as a command of the shell.
    pub(super) preparation: String,
    /// What `todo` is, as a command of the shell.
    pub(super) program: String,
}

impl Language {
    /// Whether its program uses the SDK.
    pub(super) fn is_sdk(&self) -> bool {
        self.name.contains("SDK")
    }
}

/// The rows of the table whose last column is called `` `todo` is ``.
///
/// # Errors
/// If there is no such table, or a row without commands.
pub(super) fn all(page: &str) -> Result<Vec<Language>> {
    let rows = page.lines().skip_while(|line| !line.ends_with("| `todo` is |")).skip(2);
    let languages: Vec<_> = rows
        .take_while(|line| line.starts_with('|'))
        .map(language)
        .collect::<Option<_>>()
        .context("a row is unusual")?;
    ensure!(!languages.is_empty(), "there is no table of languages");
    Ok(languages)
}

fn language(row: &str) -> Option<Language> {
    let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
    let [name, _, preparation, program] = cells.as_slice() else { return None };
    let code = |cell: &str| Some(cell.strip_prefix('`')?.strip_suffix('`')?.to_owned());
    Some(Language { name: (*name).to_owned(), preparation: code(preparation)?, program: code(program)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_commands() {
        let page = "| a | b |\n|-|-|\n| 1 | 2 |\n\n| language | file | once | `todo` is |\n|-|-|-|-|\n\
                    | C | [x](y) | `cc x` | `./todo` |\n| JS, with the SDK | z | `npm i` | `node z` |\n\nText.\n";
        let languages = all(page).unwrap();
        let names: Vec<_> = languages.iter().map(|language| (language.name.as_str(), language.is_sdk())).collect();
        assert_eq!(names, [("C", false), ("JS, with the SDK", true)]);
        assert_eq!((languages[0].preparation.as_str(), languages[0].program.as_str()), ("cc x", "./todo"));
        assert!(all("no table").is_err());
        assert!(all(&page.replace("`cc x`", "")).is_err());
    }
}
