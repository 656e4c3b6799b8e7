//! Libraries for Windows.

use anyhow::{Result, bail, ensure};
use object::pe;
use object::read::pe::{ImageNtHeaders, ImageOptionalHeader, PeFile, PeFile32, PeFile64};
use object::{Object, ReadRef};

use super::exports_only_the_entry_point;
use crate::package::target::Target;

/// Divisions that compilers for 32-bit x86 leave to `ntdll.dll`; see where the library is linked.
const X86_IMPORTS: &[&str] = &["_aulldiv", "_aullrem", "_aulldvrm", "_allmul", "_alldiv", "_allrem"];

/// Checks a library.
pub(super) fn check(target: &Target, content: &[u8]) -> Result<()> {
    let machine = match target.architecture {
        "x64" => pe::IMAGE_FILE_MACHINE_AMD64,
        "aarch64" => pe::IMAGE_FILE_MACHINE_ARM64,
        "x86" => pe::IMAGE_FILE_MACHINE_I386,
        other => bail!("no machine is called {other}"),
    };
    if target.architecture == "x86" {
        check_class(&PeFile32::parse(content)?, machine, X86_IMPORTS)
    } else {
        check_class(&PeFile64::parse(content)?, machine, &[])
    }
}

fn check_class<'data, Headers, Data>(
    file: &PeFile<'data, Headers, Data>,
    machine: pe::Machine,
    importable: &[&str],
) -> Result<()>
where
    Headers: ImageNtHeaders,
    Data: ReadRef<'data>,
{
    let headers = file.nt_headers();
    let found = headers.file_header().machine.get(object::LittleEndian);
    ensure!(found == machine, "made for machine {found:?}");
    let characteristics = headers.file_header().characteristics.get(object::LittleEndian);
    ensure!(characteristics.contains(pe::IMAGE_FILE_DLL), "not a DLL");
    let flags = headers.optional_header().dll_characteristics();
    let safe = pe::IMAGE_DLLCHARACTERISTICS_NX_COMPAT | pe::IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE;
    ensure!(flags.contains(safe), "without protection of its memory: {flags:?}");
    let uses_all_addresses = flags.contains(pe::IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA);
    ensure!(uses_all_addresses || !headers.is_type_64(), "placed at low addresses only: {flags:?}");
    let has_relocations = file.data_directory(pe::IMAGE_DIRECTORY_ENTRY_BASERELOC).is_some();
    let is_fixed = characteristics.contains(pe::IMAGE_FILE_RELOCS_STRIPPED);
    ensure!(has_relocations && !is_fixed, "it cannot be placed at another address");
    for section in file.section_table().iter() {
        let flags = section.characteristics.get(object::LittleEndian);
        let is_both = flags.contains(pe::IMAGE_SCN_MEM_WRITE | pe::IMAGE_SCN_MEM_EXECUTE);
        ensure!(!is_both, "memory can be written and executed");
    }
    has_no_time(file)?;

    let mut exported = Vec::new();
    for export in file.exports()? {
        exported.push(String::from_utf8_lossy(export?.name().name().unwrap_or_default()).into_owned());
    }
    exports_only_the_entry_point(&exported)?;
    for import in file.imports()? {
        let import = import?;
        let name = String::from_utf8_lossy(import.name().name().unwrap_or_default()).into_owned();
        let library = import.library();
        let is_known = library == b"ntdll.dll" && importable.contains(&name.as_str());
        ensure!(is_known, "imports {name} of {}", String::from_utf8_lossy(library));
    }
    Ok(())
}

/// Where files have the time of linking, there is a hash of the content, which a note among the debug information says.
fn has_no_time<'data, Headers: ImageNtHeaders, Data: ReadRef<'data>>(
    file: &PeFile<'data, Headers, Data>,
) -> Result<()> {
    let Some(directory) = file.data_directory(pe::IMAGE_DIRECTORY_ENTRY_DEBUG) else { bail!("no debug directory") };
    let entries = directory.data(file.data(), &file.section_table())?;
    let size = size_of::<pe::ImageDebugDirectory>();
    let entries: &[pe::ImageDebugDirectory] = entries
        .read_slice_at(0, entries.len() / size)
        .map_err(|()| anyhow::anyhow!("the debug directory cannot be read"))?;
    let is_note = |entry: &pe::ImageDebugDirectory| entry.typ.get(object::LittleEndian) == pe::IMAGE_DEBUG_TYPE_REPRO;
    ensure!(entries.iter().any(is_note), "it has the time of linking");
    Ok(())
}
