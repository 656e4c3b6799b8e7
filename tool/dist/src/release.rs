//! `cargo xtask release`: a draft release on GitHub with everything that is in `target/dist`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::packages::distribution::{Distribution, read};
use crate::packages::publisher::Publisher;
use tool_support::process;

/// Makes the draft with GitHub's own program `gh`, for a tag.
///
/// # Errors
/// If the tag is not that of the version, the publisher has not confirmed who and where they are, the changelog says that the
/// version is not released yet, or `gh` fails.
pub(crate) fn run(tag: &str) -> Result<()> {
    let distribution = Distribution::complete();
    let version = distribution.version;
    ensure!(tag == format!("v{version}"), "the tag {tag} is not that of version {version}");
    ensure!(
        Publisher::of(version)?.is_confirmed,
        "tool/dist/packages/publisher.properties is not confirmed by the publisher"
    );
    let notes = notes(&read("CHANGELOG.md")?, version)?;
    let mut draft = process::program("gh", &["release", "create", tag, "--draft", "--verify-tag", "--title", version]);
    process::run(draft.arg("--notes").arg(notes).args(files(&distribution.directory)?))
}

/// What the changelog says about a version.
fn notes(changelog: &str, version: &str) -> Result<String> {
    let mut lines = changelog.lines().skip_while(|line| line.strip_prefix("## ").is_none_or(|it| !names(it, version)));
    let heading = lines.next().with_context(|| format!("CHANGELOG.md has nothing about {version}"))?;
    ensure!(!heading.contains("not released"), "CHANGELOG.md says {heading:?}");
    let notes: Vec<&str> = lines.take_while(|line| !line.starts_with("## ")).collect();
    Ok(notes.join("\n").trim().to_owned())
}

fn names(heading: &str, version: &str) -> bool {
    heading.split_whitespace().next() == Some(version)
}

/// The files to be attached, in order. Directories hold what is in an archive too, or help debuggers.
fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    ensure!(files.iter().any(|file| file.ends_with("SHA256SUMS")), "{} has no SHA256SUMS", directory.display());
    Ok(files)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::*;

    #[test]
    fn notes_are_the_section_of_the_version() {
        let changelog =
            "# Changes\n\n## 0.5.101 (2026-01-01)\n\n- new\n- newer\n\n## 0.5.100 (not released yet)\n\nold\n";
        assert_eq!(notes(changelog, "0.5.101").unwrap(), "- new\n- newer");
        assert!(notes(changelog, "0.5.100").is_err());
        assert!(notes(changelog, "0.5.10").is_err());
    }

    #[test]
    fn files_are_attached_and_directories_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let write = |path: &str| {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        };
        write("library.so");
        write("package.tgz");
        write("debug/library.debug");
        assert!(files(directory.path()).is_err());
        write("SHA256SUMS");
        let names: Vec<_> = files(directory.path()).unwrap();
        let expected = ["SHA256SUMS", "library.so", "package.tgz"].map(|name| directory.path().join(name));
        assert_eq!(names, expected);
    }

    /// The workflows run commands of ours with options that exist; `xtask` checks its own.
    #[test]
    fn workflows_run_our_commands() {
        let known = crate::Arguments::command();
        let mut count = 0;
        for file in ["ci.yml", "release.yml"] {
            let text = read(format!(".github/workflows/{file}")).unwrap();
            for command in text.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("run: ")) {
                let arguments = command.replace("${{ github.ref_name }}", "v0.5.100");
                let words: Vec<&str> = arguments.split_whitespace().collect();
                if known.find_subcommand(words[2]).is_none() {
                    continue;
                }
                let parsed = crate::Arguments::try_parse_from(&words[1..]);
                assert!(parsed.is_ok(), "{file}: {command}: {}", parsed.err().unwrap());
                count += 1;
            }
        }
        assert!(count > 3, "only {count} commands were found");
    }
}
