//! Streams recorded from a real service, found through `POWERSYNC_INTEROP_DATA`: every line is read, and both encodings
//! of a session mean the same.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{with_binary, with_text};
use crate::{Checksum, Operation, Scratch, SyncLine, decode_text};
use rowtide_json::{RowData, publishable};

/// The folders of the recorded sessions; `None` without recordings.
fn sessions() -> Option<Vec<PathBuf>> {
    let data = PathBuf::from(std::env::var_os("POWERSYNC_INTEROP_DATA")?);
    let entries = fs::read_dir(data.join("streams")).expect("the data folder has no streams");
    let mut folders: Vec<_> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    assert!(folders.len() > 20, "the recordings are incomplete");
    Some(folders)
}

/// The content of a file, which may be compressed.
fn read(folder: &Path, name: &str) -> Option<Vec<u8>> {
    if let Ok(content) = fs::read(folder.join(name)) {
        return Some(content);
    }
    let compressed = fs::File::open(folder.join(format!("{name}.gz"))).ok()?;
    let mut content = Vec::new();
    flate2::read::MultiGzDecoder::new(compressed).read_to_end(&mut content).unwrap();
    Some(content)
}

/// Splits concatenated BSON documents.
fn documents(mut content: &[u8]) -> Vec<&[u8]> {
    let mut documents = Vec::new();
    while let Some(length) = content.first_chunk::<4>() {
        let (document, rest) = content.split_at(usize::try_from(i32::from_le_bytes(*length)).unwrap());
        documents.push(document);
        content = rest;
    }
    assert!(content.is_empty());
    documents
}

fn lines(content: &[u8]) -> Vec<&str> {
    str::from_utf8(content).unwrap().lines().filter(|line| !line.is_empty()).collect()
}

#[test]
fn both_encodings_of_every_recording_mean_the_same() {
    let Some(sessions) = sessions() else { return };
    let mut compared = 0;
    for folder in sessions {
        let Some(json) = read(&folder, "stream.ndjson") else { continue };
        if folder.ends_with("64-too-many-buckets") {
            // The answer to this request is an error message of the service instead of a stream.
            continue;
        }
        let json = lines(&json);
        let bson = read(&folder, "stream.bson");
        let bson = bson.as_deref().map(documents);
        if let Some(bson) = &bson {
            assert_eq!(json.len(), bson.len(), "{}", folder.display());
        }
        for (index, text) in json.into_iter().enumerate() {
            with_text(text, |text| {
                let text = text.unwrap_or_else(|error| panic!("{} line {index}: {error}", folder.display()));
                assert!(!matches!(text, SyncLine::Unknown { .. }));
                if let Some(bson) = &bson {
                    with_binary(bson[index], |binary| {
                        assert_eq!(binary, Ok(text), "{} line {index}", folder.display())
                    });
                    compared += 1;
                }
            });
        }
    }
    assert!(compared > 150, "only {compared} lines have both encodings");
}

#[test]
fn bucket_checksums_of_an_initial_sync_are_the_sums_of_its_operations() {
    let Some(sessions) = sessions() else { return };
    let folder = sessions.iter().find(|folder| folder.ends_with("30-many-ops")).unwrap();
    let content = read(folder, "stream.ndjson").unwrap();
    let mut expected = Vec::new();
    let mut sums: Vec<(String, Checksum)> = Vec::new();
    let mut scratch = Scratch::new();
    for line in lines(&content) {
        match decode_text(line, &mut scratch).unwrap() {
            SyncLine::Checkpoint(checkpoint) => {
                expected =
                    checkpoint.buckets.iter().map(|bucket| (String::from(bucket.bucket), bucket.checksum)).collect();
                sums = expected.iter().map(|(bucket, _)| (bucket.clone(), Checksum::ZERO)).collect();
            }
            SyncLine::Data(line) => {
                let (_, sum) = sums.iter_mut().find(|(bucket, _)| bucket == line.bucket).unwrap();
                *sum += line.entries.iter().map(|entry| entry.checksum).sum();
                assert!(line.entries.is_sorted_by_key(|entry| entry.op_id));
            }
            SyncLine::CheckpointComplete(_) => break,
            _ => {}
        }
    }
    assert!(!expected.is_empty());
    assert_eq!(sums, expected);
}

#[test]
fn every_recorded_row_can_be_published() {
    let Some(sessions) = sessions() else { return };
    let (mut as_is, mut rewritten) = (0, 0);
    for folder in sessions {
        let Some(json) = read(&folder, "stream.ndjson") else { continue };
        for line in lines(&json) {
            let mut scratch = Scratch::new();
            let Ok(SyncLine::Data(line)) = decode_text(line, &mut scratch) else { continue };
            for entry in line.entries {
                match entry.data.map(|data| publishable(data).unwrap()) {
                    Some(RowData::AsIs(_)) => as_is += 1,
                    Some(RowData::Rewritten(text)) => {
                        assert!(text.contains("null"));
                        rewritten += 1;
                    }
                    Some(RowData::Unreadable(reason)) => panic!("{}: {reason}", folder.display()),
                    None => assert_ne!(entry.operation, Operation::Put),
                }
            }
        }
    }
    assert!(as_is > 1000 && rewritten > 5, "{as_is} rows, {rewritten} rewritten");
}
