//! Who publishes the packages, and where: the lines of `tool/dist/packages/publisher.properties`, which Gradle reads
//! too.

use anyhow::{Context, Result, ensure};

use crate::packages::distribution::read;

/// The file.
const FILE: &str = "tool/dist/packages/publisher.properties";

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Publisher {
    /// The group of the Maven coordinates.
    pub group: String,
    /// The name in the Maven coordinates.
    pub artifact: String,
    /// Who is named as the author.
    pub author: String,
    /// Address of the project.
    pub home: String,
    /// Address below which the files of this version's release are.
    pub releases: String,
    /// Whether the publisher has confirmed all of it.
    pub is_confirmed: bool,
}

impl Publisher {
    /// Reads the file, for a version.
    ///
    /// # Errors
    /// If it lacks a line, or one of them cannot be what it should be.
    pub(crate) fn of(version: &str) -> Result<Self> {
        Self::parse(&read(FILE)?, version)
    }

    fn parse(text: &str, version: &str) -> Result<Self> {
        let line = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            value.with_context(|| format!("{FILE} has no {name}"))
        };
        let coordinate = |name: &str| {
            let value = line(name)?;
            let is_good = |character: char| character.is_ascii_alphanumeric() || "-._".contains(character);
            ensure!(!value.is_empty() && value.chars().all(is_good), "{FILE}: {name} is {value:?}");
            Ok(value.to_owned())
        };
        // Nothing in an address has to be escaped in XML, JSON or Ruby.
        let address = |name: &str| {
            let value = line(name)?.replace("@VERSION@", version);
            let is_good = |character: char| character.is_ascii_graphic() && !"\"'<>&\\#@".contains(character);
            ensure!(value.starts_with("https://") && value.chars().all(is_good), "{FILE}: {name} is {value:?}");
            Ok(value)
        };
        let author = line("author")?;
        ensure!(!author.contains(['\'', '"', '\\', '<', '&', '@']), "{FILE}: author is {author:?}");
        Ok(Self {
            group: coordinate("group")?,
            artifact: coordinate("artifact")?,
            author: author.to_owned(),
            home: address("home")?,
            releases: address("releases")?,
            is_confirmed: line("confirmed")? == "yes",
        })
    }

    /// Fills in a description of a package, in which `@HOME@`, `@RELEASES@`, `@AUTHOR@` and `@VERSION@` are replaced by
    /// these.
    ///
    /// # Errors
    /// If something else is to be filled in.
    pub(crate) fn fill(&self, description: &str, version: &str) -> Result<String> {
        let pairs = [
            ("@HOME@", &*self.home),
            ("@RELEASES@", &self.releases),
            ("@AUTHOR@", &self.author),
            ("@VERSION@", version),
        ];
        let text = pairs.iter().fold(description.to_owned(), |text, (name, value)| text.replace(name, value));
        ensure!(!text.contains('@'), "something is left to be filled in: {text}");
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# Comment\ngroup=a.b\nartifact=c\nauthor=Some One\nhome=https://d.example\n\
                        releases=https://d.example/v@VERSION@\nconfirmed=yes\n";

    #[test]
    fn lines_are_read() {
        let publisher = Publisher::parse(GOOD, "0.5.100").unwrap();
        assert_eq!((publisher.group.as_str(), publisher.artifact.as_str()), ("a.b", "c"));
        assert_eq!(publisher.releases, "https://d.example/v0.5.100");
        assert!(publisher.is_confirmed);
        assert!(!Publisher::parse(&GOOD.replace("=yes", "=no"), "0.5.100").unwrap().is_confirmed);
        assert!(Publisher::of("0.5.100").is_ok());
    }

    #[test]
    fn lines_that_cannot_be_right_are_refused() {
        for (good, bad) in
            [("group=a.b", "group="), ("artifact=c", "artifact=<c>"), ("home=https", "home=http"), ("Some One", "'")]
        {
            assert!(Publisher::parse(&GOOD.replace(good, bad), "0.5.100").is_err(), "{bad}");
        }
        assert!(Publisher::parse(&GOOD.replace("confirmed", "#"), "0.5.100").is_err());
    }

    #[test]
    fn descriptions_are_filled_in() {
        let publisher = Publisher::parse(GOOD, "0.5.100").unwrap();
        let filled = publisher.fill("@AUTHOR@, @VERSION@: @RELEASES@/x, @HOME@", "0.5.100").unwrap();
        assert_eq!(filled, "Some One, 0.5.100: https://d.example/v0.5.100/x, https://d.example");
        assert!(publisher.fill("@GROUP@", "0.5.100").is_err());
    }
}
