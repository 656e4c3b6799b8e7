//! Static libraries: what rustc makes, reduced to what is used of it, with the entry points as the only visible names.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use ar_archive_writer::{ArchiveKind, DEFAULT_OBJECT_READER, NewArchiveMember, ObjectReader, write_archive_to_stream};
use object::read::archive::ArchiveFile;
use object::{Object, ObjectSymbol};

use crate::package::link::{DISCARD, ENTRY_POINT};
use crate::package::target::{Format, Target};
use crate::package::toolchain::Toolchain;
use tool_support::process;

/// What C programs call.
pub(crate) const ENTRY_POINTS: &[&str] = &["powersync_init_static", ENTRY_POINT];

/// Every program has these from its C library. Those that Rust brings along are slow, and not taken.
pub(crate) const FROM_C_LIBRARY: &[&str] =
    &["__bzero", "bcmp", "bzero", "memcmp", "memcpy", "memmove", "memset", "strlen"];

/// A part of a static library.
struct Member {
    content: Vec<u8>,
    defined: BTreeSet<String>,
    undefined: BTreeSet<String>,
}

/// Makes the static library that ships from the one of rustc.
///
/// # Errors
/// If that is not a library with the entry points.
pub(super) fn reduce(
    toolchain: &Toolchain,
    target: &Target,
    archive: &Path,
    scratch: &Path,
    output: &Path,
) -> Result<()> {
    let members = read(&std::fs::read(archive)?).with_context(|| format!("cannot read {}", archive.display()))?;
    let mut objects = Vec::new();
    for (index, member) in needed(members)?.into_iter().enumerate() {
        let path = scratch.join(if index == 0 { "powersync.o".to_owned() } else { format!("builtins{index}.o") });
        std::fs::write(&path, member.content)?;
        objects.push(path);
    }
    match target.platform.format() {
        Format::Elf => objects = vec![merge(toolchain, target, &objects, scratch)?],
        Format::MachO | Format::Pe => {
            for object in objects.iter().filter(|_| target.can_be_stripped()) {
                process::run(toolchain.objcopy(&["--strip-debug", "--remove-section=__LLVM,__bitcode"]).arg(object))?;
            }
        }
        Format::Wasm => {}
    }
    write(target.platform.format(), &objects, output)
}

/// Makes one object of several, in which only the entry points can be seen from outside.
fn merge(toolchain: &Toolchain, target: &Target, objects: &[PathBuf], scratch: &Path) -> Result<PathBuf> {
    let (merged, output) = (scratch.join("merged.o"), scratch.join("rowtide_static.o"));
    for object in objects {
        // The prebuilt `core` mentions the unwinder, which nothing calls: as well another name that is never called. A
        // definition of the real one, even a weak one, could get into the way of the program's.
        process::run(toolchain.objcopy(&["--redefine-sym=_Unwind_Resume=rust_eh_personality"]).arg(object))?;
    }
    let mut linker = toolchain.linker("gnu");
    linker.args(["-r", "-m", target.linker_architecture, "-T", DISCARD]).args(objects);
    process::run(linker.arg("-o").arg(&merged))?;
    let mut objcopy = toolchain.objcopy(&["--strip-debug", "--strip-unneeded", "--remove-section=.comment"]);
    objcopy.args(["--remove-section=.llvmbc", "--remove-section=.llvmcmd"]);
    objcopy.args(ENTRY_POINTS.iter().map(|name| format!("--keep-global-symbol={name}")));
    process::run(objcopy.arg(&merged).arg(&output))?;
    Ok(output)
}

fn read(content: &[u8]) -> Result<Vec<Member>> {
    let archive = ArchiveFile::parse(content)?;
    let mut members = Vec::new();
    for member in archive.members() {
        let content = member?.data(content)?;
        let object = object::File::parse(content)?;
        let mut member = Member { content: content.to_vec(), defined: BTreeSet::new(), undefined: BTreeSet::new() };
        for symbol in object.symbols().filter(ObjectSymbol::is_global) {
            let names = if symbol.is_undefined() { &mut member.undefined } else { &mut member.defined };
            names.insert(symbol.name()?.to_owned());
        }
        members.push(member);
    }
    Ok(members)
}

/// The member with the entry points, then those that others need.
fn needed(members: Vec<Member>) -> Result<Vec<Member>> {
    let decorated = |name: &str, plain: &str| name == plain || name.strip_prefix('_') == Some(plain);
    let is_first = |member: &Member| member.defined.iter().any(|name| decorated(name, ENTRY_POINT));
    let (mut taken, mut others): (Vec<_>, Vec<_>) = members.into_iter().partition(is_first);
    ensure!(taken.len() == 1, "{} members define {ENTRY_POINT}", taken.len());
    let mut position = 0;
    while let Some(member) = taken.get(position) {
        let from_others = |name: &&String| !FROM_C_LIBRARY.iter().any(|plain| decorated(name, plain));
        for name in member.undefined.clone().iter().filter(from_others) {
            if taken.iter().any(|member| member.defined.contains(name)) {
                continue;
            }
            if let Some(index) = others.iter().position(|member| member.defined.contains(name)) {
                taken.push(others.swap_remove(index));
            }
        }
        position += 1;
    }
    Ok(taken)
}

/// Reads objects of all our formats: the default one knows no WebAssembly.
const READER: ObjectReader = ObjectReader { get_symbols: for_each_symbol, ..DEFAULT_OBJECT_READER };

/// Calls a function with each name that an object defines for others; gives whether it is an object.
fn for_each_symbol(content: &[u8], found: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<bool> {
    let object = object::File::parse(content).map_err(io::Error::other)?;
    for symbol in object.symbols() {
        if symbol.is_global() && !symbol.is_undefined() {
            found(symbol.name_bytes().map_err(io::Error::other)?)?;
        }
    }
    Ok(true)
}

/// Writes a library whose bytes depend on its members only.
fn write(format: Format, objects: &[PathBuf], output: &Path) -> Result<()> {
    let mut members = Vec::new();
    for object in objects {
        members.push(NewArchiveMember {
            buf: Box::new(std::fs::read(object)?),
            object_reader: &READER,
            member_name: object.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            mtime: 0,
            uid: 0,
            gid: 0,
            perms: 0o644,
        });
    }
    let kind = match format {
        Format::Elf | Format::Wasm => ArchiveKind::Gnu,
        Format::MachO => ArchiveKind::Darwin,
        Format::Pe => ArchiveKind::Coff,
    };
    let mut content = io::Cursor::new(Vec::new());
    write_archive_to_stream(&mut content, &members, kind, false, None)?;
    Ok(std::fs::write(output, content.into_inner())?)
}
