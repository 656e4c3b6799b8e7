//! The files of a disk, by the numbers that open files know them by. A deleted file lives as long as it is open.

use std::collections::BTreeMap;

use super::Image;

/// Files with their names. Temporary ones have none.
#[derive(Debug, Default)]
pub(super) struct Files {
    numbers: BTreeMap<String, usize>,
    contents: Vec<Vec<u8>>,
}

impl Files {
    /// The number of the file of this name.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    /// Makes an empty file.
    pub(super) fn create(&mut self, name: Option<&str>) -> usize {
        let number = self.contents.len();
        self.contents.push(Vec::new());
        if let Some(name) = name {
            self.numbers.insert(name.to_owned(), number);
        }
        number
    }

    /// Removes the file of this name, if there is one.
    pub(super) fn delete(&mut self, name: &str) -> bool {
        self.numbers.remove(name).is_some()
    }

    /// The content of a file.
    pub(super) fn content(&mut self, number: usize) -> &mut Vec<u8> {
        &mut self.contents[number]
    }

    /// All files that have names.
    pub(super) fn image(&self) -> Image {
        self.numbers.iter().map(|(name, number)| (name.clone(), self.contents[*number].clone())).collect()
    }
}

impl From<Image> for Files {
    fn from(image: Image) -> Self {
        let mut files = Self::default();
        for (name, content) in image {
            let number = files.create(Some(&name));
            *files.content(number) = content;
        }
        files
    }
}

/// Writes `data` at `offset`, after zeros if the content ends before.
pub(super) fn write(content: &mut Vec<u8>, offset: usize, data: &[u8]) {
    if content.len() < offset {
        content.resize(offset, 0);
    }
    let (inside, beyond) = data.split_at(data.len().min(content.len() - offset));
    content[offset..offset + inside.len()].copy_from_slice(inside);
    content.extend_from_slice(beyond);
}
