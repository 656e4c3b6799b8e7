//! Files on their way into a package: collected in memory, then written as a directory, a zip file or a compressed tar
//! file, and read back from these to be checked. The same files always give the same bytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Cursor, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use flate2::{Compression, GzBuilder, read::GzDecoder};
use tar::{EntryType, Header};
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

/// What is at one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    /// A file's content.
    File(Vec<u8>),
    /// The content of a file that can be executed.
    Program(Vec<u8>),
    /// Where a symbolic link points to, relative to its own directory.
    Link(String),
}

impl Node {
    /// A file with these permissions.
    fn with_mode(mode: u32, content: Vec<u8>) -> Self {
        if mode & 0o111 == 0 { Self::File(content) } else { Self::Program(content) }
    }

    /// Its permissions.
    fn mode(&self) -> u32 {
        if matches!(self, Self::Program(_)) { PROGRAM_MODE } else { MODE }
    }
}

/// Files and symbolic links by path; paths are relative and have slashes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tree(BTreeMap<String, Node>);

/// Permissions of files, and of those that can be executed.
const MODE: u32 = 0o644;
const PROGRAM_MODE: u32 = 0o755;

impl Tree {
    /// Adds a file.
    pub(crate) fn add(&mut self, path: &str, content: impl Into<Vec<u8>>) {
        self.0.insert(path.to_owned(), Node::File(content.into()));
    }

    /// Adds a file that can be executed.
    pub(crate) fn add_program(&mut self, path: &str, content: impl Into<Vec<u8>>) {
        self.0.insert(path.to_owned(), Node::Program(content.into()));
    }

    /// Adds a symbolic link.
    pub(crate) fn add_link(&mut self, path: &str, target: &str) {
        self.0.insert(path.to_owned(), Node::Link(target.to_owned()));
    }

    /// Adds all of another tree below a directory.
    pub(crate) fn add_tree(&mut self, directory: &str, other: Self) {
        self.0.extend(other.0.into_iter().map(|(path, node)| (format!("{directory}/{path}"), node)));
    }

    /// What is in a directory, which must be the only one.
    ///
    /// # Errors
    /// If something is outside of it.
    pub(crate) fn below(self, directory: &str) -> Result<Self> {
        let entries = self.0.into_iter().map(|(path, node)| {
            let inside = path.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/'));
            Ok((inside.with_context(|| format!("{path} is outside of {directory}"))?.to_owned(), node))
        });
        entries.collect::<Result<_>>().map(Self)
    }

    /// All paths with what is there, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.0.iter().map(|(path, node)| (path.as_str(), node))
    }

    /// What is at a path, if anything.
    pub(crate) fn node(&self, path: &str) -> Option<&Node> {
        self.0.get(path)
    }

    /// Whether there is nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps only what is at paths that a function is true for.
    pub(crate) fn retain(&mut self, is_kept: impl Fn(&str) -> bool) {
        self.0.retain(|path, _| is_kept(path));
    }

    /// Content of a file.
    ///
    /// # Errors
    /// If there is no such file.
    pub(crate) fn file(&self, path: &str) -> Result<&[u8]> {
        match self.0.get(path) {
            Some(Node::File(content) | Node::Program(content)) => Ok(content),
            Some(Node::Link(target)) => bail!("{path} is a link to {target}, not a file"),
            None => bail!("there is no {path}"),
        }
    }

    /// Content of a text file.
    ///
    /// # Errors
    /// If there is no such file, or it is not UTF-8.
    pub(crate) fn text(&self, path: &str) -> Result<&str> {
        std::str::from_utf8(self.file(path)?).with_context(|| format!("{path} is not UTF-8"))
    }

    /// Writes everything below a directory, which is replaced.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn write_directory(&self, directory: &Path) -> Result<()> {
        if directory.exists() {
            std::fs::remove_dir_all(directory)?;
        }
        for (path, node) in &self.0 {
            let place = directory.join(path);
            std::fs::create_dir_all(place.parent().unwrap_or(directory))?;
            match node {
                Node::File(content) | Node::Program(content) => std::fs::write(&place, content),
                Node::Link(target) => link(target, &place),
            }
            .with_context(|| format!("cannot write {}", place.display()))?;
        }
        Ok(())
    }

    /// Reads everything below a directory.
    ///
    /// # Errors
    /// If something cannot be read, or has a name that is not UTF-8.
    pub(crate) fn from_directory(directory: &Path) -> Result<Self> {
        let mut tree = Self::default();
        for entry in std::fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))? {
            let (entry, kind) = entry.and_then(|entry| entry.file_type().map(|kind| (entry, kind)))?;
            let name = entry.file_name();
            let name = name.to_str().with_context(|| format!("{name:?} is not UTF-8"))?;
            if kind.is_symlink() {
                let target = std::fs::read_link(entry.path())?;
                tree.add_link(name, target.to_str().with_context(|| format!("{target:?} is not UTF-8"))?);
            } else if kind.is_dir() {
                tree.add_tree(name, Self::from_directory(&entry.path())?);
            } else {
                tree.add(name, std::fs::read(entry.path())?);
            }
        }
        Ok(tree)
    }

    /// The bytes of a zip file.
    ///
    /// # Errors
    /// If a path does not fit into one.
    pub(crate) fn to_zip(&self) -> Result<Vec<u8>> {
        // Without a time, files have the earliest one that zip knows: 1980.
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (path, node) in &self.0 {
            match node {
                Node::File(content) | Node::Program(content) => {
                    zip.start_file(path.as_str(), options.unix_permissions(node.mode()))?;
                    zip.write_all(content)?;
                }
                Node::Link(target) => {
                    zip.add_symlink(path.as_str(), target.as_str(), options.unix_permissions(MODE))?
                }
            }
        }
        Ok(zip.finish()?.into_inner())
    }

    /// Reads a zip file.
    ///
    /// # Errors
    /// If it is none, or damaged.
    pub(crate) fn from_zip(bytes: &[u8]) -> Result<Self> {
        let mut tree = Self::default();
        let mut zip = ZipArchive::new(Cursor::new(bytes))?;
        for index in 0..zip.len() {
            let mut entry = zip.by_index(index)?;
            let path = entry.name()?.into_owned();
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            if entry.is_symlink() {
                tree.add_link(&path, &String::from_utf8(content)?);
            } else if entry.is_file() {
                tree.0.insert(path, Node::with_mode(entry.unix_mode().unwrap_or(MODE), content));
            }
        }
        Ok(tree)
    }

    /// The bytes of a tar file, compressed with gzip.
    ///
    /// # Errors
    /// If a path does not fit into one.
    pub(crate) fn to_tar_gz(&self) -> Result<Vec<u8>> {
        let mut tar = tar::Builder::new(GzBuilder::new().mtime(0).write(Vec::new(), Compression::best()));
        for (path, node) in &self.0 {
            // A new header has no time and no owner.
            let mut header = Header::new_gnu();
            header.set_mode(node.mode());
            match node {
                Node::File(content) | Node::Program(content) => {
                    header.set_size(u64::try_from(content.len())?);
                    tar.append_data(&mut header, path, content.as_slice())?;
                }
                Node::Link(target) => {
                    header.set_entry_type(EntryType::Symlink);
                    header.set_size(0);
                    tar.append_link(&mut header, path, target)?;
                }
            }
        }
        Ok(tar.into_inner()?.finish()?)
    }

    /// Reads a tar file compressed with gzip.
    ///
    /// # Errors
    /// If it is none, or damaged.
    pub(crate) fn from_tar_gz(bytes: &[u8]) -> Result<Self> {
        let mut tree = Self::default();
        let mut decoder = GzDecoder::new(bytes);
        for entry in tar::Archive::new(&mut decoder).entries()? {
            let mut entry = entry?;
            let path = String::from_utf8(entry.path_bytes().into_owned())?;
            match entry.header().entry_type() {
                EntryType::Symlink => {
                    let target = entry.link_name_bytes().context("a link without a target")?.into_owned();
                    tree.add_link(&path, &String::from_utf8(target)?);
                }
                EntryType::Regular => {
                    let mut content = Vec::new();
                    entry.read_to_end(&mut content)?;
                    tree.0.insert(path, Node::with_mode(entry.header().mode()?, content));
                }
                other => bail!("{path} is of kind {other:?}"),
            }
        }
        // The checksum comes behind what is read of the archive.
        std::io::copy(&mut decoder, &mut std::io::sink())?;
        Ok(tree)
    }

    /// Checks that every link leads to a file or directory of the tree.
    ///
    /// # Errors
    /// Names a link that does not.
    pub(crate) fn check_links(&self) -> Result<()> {
        for (path, node) in &self.0 {
            let Node::Link(target) = node else { continue };
            let directory = path.rsplit_once('/').map_or(String::new(), |(directory, _)| format!("{directory}/"));
            let place = self.resolve(&format!("{directory}{target}"));
            let inside = format!("{place}/");
            let exists = self.0.keys().any(|path| *path == place || path.starts_with(&inside));
            ensure!(exists, "{path} leads to {place}, which does not exist");
        }
        Ok(())
    }

    /// A path in which links to directories are replaced by what they point to.
    fn resolve(&self, path: &str) -> String {
        let mut place = String::new();
        for part in path.split('/') {
            let next = if place.is_empty() { part.to_owned() } else { format!("{place}/{part}") };
            place = match self.0.get(&next) {
                Some(Node::Link(target)) if place.is_empty() => target.clone(),
                Some(Node::Link(target)) => format!("{place}/{target}"),
                _ => next,
            };
        }
        place
    }
}

/// Writes a file.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    File::create(path)
        .and_then(|mut file| file.write_all(bytes))
        .with_context(|| format!("cannot write {}", path.display()))?;
    println!("{}: {} bytes", path.display(), bytes.len());
    Ok(())
}

#[cfg(unix)]
fn link(target: &str, place: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, place)
}

/// Windows lets only some users make links; there, what is linked is left out.
#[cfg(not(unix))]
fn link(_target: &str, _place: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Tree {
        let mut tree = Tree::default();
        tree.add("a/b.txt", "text");
        tree.add("a/empty", "");
        tree.add_program("a/program", "code");
        tree.add(&format!("{}/long", "directory/".repeat(20)), vec![0; 70_000]);
        tree.add_link("link", "a/b.txt");
        tree.add_link("a/directory", "../directory");
        tree
    }

    #[test]
    fn archives_give_back_what_was_put_into_them() {
        let tree = example();
        assert_eq!(Tree::from_zip(&tree.to_zip().unwrap()).unwrap(), tree);
        assert_eq!(Tree::from_tar_gz(&tree.to_tar_gz().unwrap()).unwrap(), tree);
        assert!(Tree::from_zip(b"no zip file").is_err());
        assert!(Tree::from_tar_gz(b"no tar file").is_err());
    }

    #[test]
    fn damaged_archives_are_refused() {
        let is_damaged = |archive: Vec<u8>, read: fn(&[u8]) -> Result<Tree>, at: usize| {
            let mut changed = archive;
            changed[at] ^= 1;
            read(&changed).is_err()
        };
        let (zip, tar) = (example().to_zip().unwrap(), example().to_tar_gz().unwrap());
        // The checksum of the first file in the list at the end, and that of everything, before the size.
        let list = zip.windows(4).position(|part| part == b"PK\x01\x02").unwrap();
        assert!(is_damaged(zip, Tree::from_zip, list + 16));
        let checksum = tar.len() - 8;
        assert!(is_damaged(tar, Tree::from_tar_gz, checksum));
    }

    #[test]
    fn the_order_of_adding_does_not_matter() {
        let (mut one, mut other) = (Tree::default(), Tree::default());
        one.add("a", "1");
        one.add("b", "2");
        other.add("b", "2");
        other.add("a", "1");
        assert_eq!(one.to_zip().unwrap(), other.to_zip().unwrap());
        assert_eq!(one.to_tar_gz().unwrap(), other.to_tar_gz().unwrap());
    }

    #[test]
    fn links_must_lead_somewhere() {
        let mut tree = Tree::default();
        tree.add("Versions/A/library", "");
        tree.add_link("Versions/Current", "A");
        tree.add_link("library", "Versions/Current/library");
        tree.check_links().unwrap();
        tree.add_link("broken", "Versions/B/library");
        assert!(tree.check_links().is_err());
    }

    #[test]
    fn directories_are_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("new");
        example().write_directory(&place).unwrap();
        let mut tree = Tree::default();
        tree.add("only", "this");
        tree.write_directory(&place).unwrap();
        assert_eq!(std::fs::read_dir(&place).unwrap().count(), 1);
        assert_eq!(std::fs::read_to_string(place.join("only")).unwrap(), "this");
    }

    #[cfg(unix)]
    #[test]
    fn directories_give_back_what_was_written_into_them() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("new");
        let mut tree = Tree::default();
        tree.add("a/b/file", "text");
        tree.add_link("a/link", "b/file");
        tree.add_link("directory", "a/b");
        tree.write_directory(&place).unwrap();
        assert_eq!(Tree::from_directory(&place).unwrap(), tree);
    }
}
