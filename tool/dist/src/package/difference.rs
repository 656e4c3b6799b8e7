//! Where two files of one name differ: which file inside of a package, which section of a library, or which byte.

use std::collections::BTreeSet;

use object::read::archive::ArchiveFile;
use object::{Object, ObjectSection};

use crate::packages::tree::{Node, Tree};

/// Reads a package.
type Reader = fn(&[u8]) -> anyhow::Result<Tree>;

/// Packages, by the ends of their names.
const PACKAGES: &[(&str, Reader)] = &[
    (".zip", Tree::from_zip),
    (".aar", Tree::from_zip),
    (".whl", Tree::from_zip),
    (".jar", Tree::from_zip),
    (".tgz", Tree::from_tar_gz),
    (".tar.gz", Tree::from_tar_gz),
];

/// How many differences of one file are printed.
const MOST: usize = 10;

/// All differences between two trees, a line for each; those of packages are looked for inside of them.
pub(crate) fn of_trees(one: &Tree, other: &Tree) -> Vec<String> {
    let paths: BTreeSet<&str> = one.iter().chain(other.iter()).map(|(path, _)| path).collect();
    let mut differences = Vec::new();
    for path in paths {
        match (one.node(path), other.node(path)) {
            (Some(Node::File(one)), Some(Node::File(other)))
            | (Some(Node::Program(one)), Some(Node::Program(other))) => {
                differences.extend(of_files(path, one, other).into_iter().map(|place| format!("{path}: {place}")));
            }
            (Some(one), Some(other)) if one != other => differences.push(format!("{path}: another kind of file")),
            (Some(_), None) => differences.push(format!("{path}: only in the first")),
            (None, Some(_)) => differences.push(format!("{path}: only in the second")),
            _ => {}
        }
    }
    differences
}

fn of_files(path: &str, one: &[u8], other: &[u8]) -> Vec<String> {
    if one == other {
        return Vec::new();
    }
    let reader = PACKAGES.iter().find(|(end, _)| path.ends_with(end)).map(|(_, reader)| reader);
    let mut differences = match reader.map(|read| (read(one), read(other))) {
        Some((Ok(one), Ok(other))) => of_trees(&one, &other),
        _ => Vec::new(),
    };
    if differences.is_empty() {
        let at = one.iter().zip(other).position(|(one, other)| one != other).unwrap_or(one.len().min(other.len()));
        let inside = inside(one, at).map(|name| format!(", in {name}")).unwrap_or_default();
        differences.push(format!("from byte {at} on{inside} ({} and {} bytes)", one.len(), other.len()));
    }
    differences.truncate(MOST);
    differences
}

/// The member of a static library or the section of a library that has a byte.
fn inside(content: &[u8], at: usize) -> Option<String> {
    let at = u64::try_from(at).ok()?;
    if let Ok(archive) = ArchiveFile::parse(content) {
        return archive.members().flatten().find_map(|member| {
            let (start, size) = member.file_range();
            let name = String::from_utf8_lossy(member.name()).into_owned();
            let section = || inside(content.get(usize::try_from(start).ok()?..)?, usize::try_from(at - start).ok()?);
            (start..start + size)
                .contains(&at)
                .then(|| section().map_or(name.clone(), |section| format!("{name}, {section}")))
        });
    }
    let file = object::File::parse(content).ok()?;
    file.sections().find_map(|section| {
        let (start, size) = section.file_range()?;
        (start..start + size).contains(&at).then(|| section.name().unwrap_or_default().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use object::write::{Object, StandardSection};
    use object::{Architecture, BinaryFormat, Endianness};

    use super::*;

    fn tree(files: &[(&str, &[u8])]) -> Tree {
        let mut tree = Tree::default();
        for (path, content) in files {
            tree.add(path, *content);
        }
        tree
    }

    #[test]
    fn equal_trees_have_no_differences() {
        let one = tree(&[("a", b"1"), ("b.zip", b"no zip file")]);
        assert_eq!(of_trees(&one, &one.clone()), Vec::<String>::new());
    }

    #[test]
    fn files_of_only_one_side_are_named() {
        let found = of_trees(&tree(&[("a", b""), ("b", b"")]), &tree(&[("b", b""), ("c", b"")]));
        assert_eq!(found, ["a: only in the first", "c: only in the second"]);
    }

    #[test]
    fn packages_are_looked_into() {
        let package = |text: &[u8]| tree(&[("inner/file", text), ("same", b"")]).to_zip().unwrap();
        let outer = |inner: &[u8]| tree(&[("p.tgz", &tree(&[("q.whl", inner)]).to_tar_gz().unwrap())]);
        let found = of_trees(&outer(&package(b"one")), &outer(&package(b"ore")));
        assert_eq!(found, ["p.tgz: q.whl: inner/file: from byte 1 on (3 and 3 bytes)"]);
    }

    #[test]
    fn what_is_packed_differently_differs() {
        let zip = tree(&[("a", b"1")]).to_zip().unwrap();
        let mut longer = zip.clone();
        longer.extend(b"end");
        let found = of_trees(&tree(&[("a.zip", &zip)]), &tree(&[("a.zip", &longer)]));
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn sections_are_named() {
        let library = |text: &[u8]| {
            let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
            let section = object.section_id(StandardSection::Text);
            object.append_section_data(section, text, 1);
            object.write().unwrap()
        };
        let found = of_trees(&tree(&[("a.so", &library(b"\x90"))]), &tree(&[("a.so", &library(b"\xc3"))]));
        assert!(matches!(found.as_slice(), [only] if only.contains("in .text")), "{found:?}");
    }
}
