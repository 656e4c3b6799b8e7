//! The ad-hoc signatures of libraries for Apple's systems, without which none is loaded on 64-bit ARM: hashes of all
//! pages, in a structure of big-endian numbers.

use std::ops::Range;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

/// The number that a signature begins with.
const SIGNATURE: u32 = 0xfade_0cc0;
/// The number that the list of hashes begins with.
const CODE_DIRECTORY: u32 = 0xfade_0c02;
/// The flag of signatures that name nobody.
const AD_HOC: u32 = 2;
/// SHA-256 among the kinds of hashes, and the size of one.
const HASHES: (u8, u8) = (2, 32);

/// Recomputes the hashes.
///
/// # Errors
/// If the signature is none, does not cover all before it, or a page has another hash.
pub(super) fn check(content: &[u8], place: Range<usize>) -> Result<()> {
    ensure!(place.end == content.len(), "the signature is not the end of the library");
    let signature = content.get(place.clone()).context("the signature is outside")?;
    ensure!(number(signature, 0)? == SIGNATURE, "not a signature");
    // Each part: its kind, of which the list is the first, and where it is.
    ensure!(number(signature, 8)? > 0 && number(signature, 12)? == 0, "the signature has no list of hashes first");
    let list = signature.get(usize::try_from(number(signature, 16)?)?..).context("the list is outside")?;
    ensure!(number(list, 0)? == CODE_DIRECTORY, "not a list of hashes");
    ensure!(number(list, 12)? & AD_HOC != 0, "not an ad-hoc signature");
    let offset = |at: usize| Ok::<_, anyhow::Error>(usize::try_from(number(list, at)?)?);
    let (hashes, count, limit) = (offset(16)?, offset(28)?, offset(32)?);
    ensure!(limit == place.start, "the signature covers {limit} of {} bytes", place.start);
    let byte = |at: usize| list.get(at).copied().context("the list is too short");
    ensure!((byte(37)?, byte(36)?) == HASHES, "the hashes are not of SHA-256");
    let page = 1_usize.checked_shl(u32::from(byte(39)?)).context("pages of an impossible size")?;
    let pages = content.get(..limit).context("the signature covers more than there is")?.chunks(page);
    ensure!(pages.len() == count, "{count} hashes for {} pages", pages.len());
    let mut hashes = list.get(hashes..).context("the hashes are outside")?.chunks_exact(usize::from(HASHES.1));
    for (index, page) in pages.enumerate() {
        let is_same = hashes.next().is_some_and(|hash| hash == Sha256::digest(page).as_slice());
        ensure!(is_same, "page {index} has another hash than the signature says");
    }
    Ok(())
}

fn number(bytes: &[u8], at: usize) -> Result<u32> {
    let digits = bytes.get(at..).and_then(<[u8]>::first_chunk).context("the signature is too short")?;
    Ok(u32::from_be_bytes(*digits))
}
