//! The Android archive as a Maven repository in a directory, from which Gradle can take it as it is.

use anyhow::{Result, ensure};
use sha2::{Digest as _, Sha256};

use crate::packages::aar;
use crate::packages::distribution::Distribution;
use crate::packages::publisher::Publisher;
use crate::packages::tree::Tree;

/// Directory of the repository in the distribution.
pub(crate) const DIRECTORY: &str = "maven";

/// Writes `maven/`, if there is an AAR.
///
/// # Errors
/// If a file cannot be read or written.
pub(crate) fn write(distribution: &Distribution) -> Result<()> {
    let Ok(archive) = std::fs::read(distribution.directory.join(aar::name(distribution.version))) else {
        println!("no Maven repository: there is no AAR");
        return Ok(());
    };
    let repository = repository(&archive, &Publisher::of(distribution.version)?, distribution.version)?;
    let directory = distribution.directory.join(DIRECTORY);
    repository.write_directory(&directory)?;
    println!("{}", directory.display());
    Ok(())
}

/// Checks that the repository in a distribution, if there is an AAR, is the one of that.
///
/// # Errors
/// If it is not.
pub(crate) fn check(distribution: &Distribution) -> Result<()> {
    let Ok(archive) = std::fs::read(distribution.directory.join(aar::name(distribution.version))) else {
        return Ok(());
    };
    let expected = repository(&archive, &Publisher::of(distribution.version)?, distribution.version)?;
    let found = Tree::from_directory(&distribution.directory.join(DIRECTORY))?;
    ensure!(found == expected, "the Maven repository is not that of the AAR");
    Ok(())
}

fn repository(archive: &[u8], publisher: &Publisher, version: &str) -> Result<Tree> {
    let (group, artifact) = (&publisher.group, &publisher.artifact);
    let directory = format!("{}/{artifact}", group.replace('.', "/"));
    let file = format!("{directory}/{version}/{artifact}-{version}");
    let mut tree = Tree::default();
    tree.add(&format!("{file}.aar"), archive);
    tree.add(&format!("{file}.pom"), description(publisher, version));
    tree.add(&format!("{directory}/maven-metadata.xml"), versions(group, artifact, version));
    let files: Vec<String> = tree.iter().map(|(path, _)| path.to_owned()).collect();
    for path in files {
        let hash = Sha256::digest(tree.file(&path)?);
        let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        tree.add(&format!("{path}.sha256"), digits);
    }
    Ok(tree)
}

fn description(publisher: &Publisher, version: &str) -> String {
    let Publisher { group, artifact, home, author, .. } = publisher;
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>{group}</groupId>
  <artifactId>{artifact}</artifactId>
  <version>{version}</version>
  <packaging>aar</packaging>
  <name>{artifact}</name>
  <description>The PowerSync SQLite extension for Android</description>
  <url>{home}</url>
  <licenses>
    <license>
      <name>Apache License 2.0</name>
      <url>https://www.apache.org/licenses/LICENSE-2.0.txt</url>
    </license>
  </licenses>
  <developers>
    <developer>
      <name>{author}</name>
    </developer>
  </developers>
  <scm>
    <url>{home}</url>
  </scm>
</project>
"#
    )
}

fn versions(group: &str, artifact: &str, version: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<metadata>
  <groupId>{group}</groupId>
  <artifactId>{artifact}</artifactId>
  <versioning>
    <latest>{version}</latest>
    <release>{version}</release>
    <versions>
      <version>{version}</version>
    </versions>
  </versioning>
</metadata>
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_where_gradle_looks() {
        let publisher = Publisher { group: "a.b".into(), artifact: "c".into(), ..Publisher::of("0.5.100").unwrap() };
        let tree = repository(b"archive", &publisher, "0.5.100").unwrap();
        assert_eq!(tree.file("a/b/c/0.5.100/c-0.5.100.aar").unwrap(), b"archive");
        assert!(tree.text("a/b/c/0.5.100/c-0.5.100.pom").unwrap().contains("<packaging>aar</packaging>"));
        assert!(tree.text("a/b/c/maven-metadata.xml").unwrap().contains("<release>0.5.100</release>"));
        // `printf archive | sha256sum`
        let expected = "0eb3e36bfb24dcd9bb1d1bece1531216b59539a8fde17ee80224af0653c92aa3";
        assert_eq!(tree.text("a/b/c/0.5.100/c-0.5.100.aar.sha256").unwrap(), expected);
    }

    #[test]
    fn a_repository_of_another_archive_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let distribution = Distribution::in_directory(directory.path());
        assert!(check(&distribution).is_ok());
        let archive = directory.path().join(aar::name(distribution.version));
        std::fs::write(&archive, "archive").unwrap();
        assert!(check(&distribution).is_err());
        write(&distribution).unwrap();
        assert!(check(&distribution).is_ok());
        std::fs::write(archive, "another").unwrap();
        assert!(check(&distribution).is_err());
    }

    #[test]
    fn the_description_has_what_maven_central_asks_for() {
        let publisher = Publisher::of("0.5.100").unwrap();
        let text = description(&publisher, "0.5.100");
        for element in ["name", "description", "url", "licenses", "developers", "scm"] {
            assert!(text.contains(&format!("<{element}>")), "{element}");
        }
    }
}
