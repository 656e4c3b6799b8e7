//! Checks of the side modules: what they ask of the main module, what they offer it, and that nothing else is in them.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use wasmparser::{ExternalKind, FuncType, Parser, Payload, TypeRef, ValType};

use crate::package::ENTRY_POINTS;
use crate::package::side::{ALL, Side};

/// The section that says how much memory and table is needed. It comes first.
const DYNAMIC: &str = "dylink.0";

/// What each one imports from the main module, beside SQLite's functions.
const IMPORTS: &[&str] = &[
    "env.memory",
    "env.__indirect_function_table",
    "env.__stack_pointer",
    "env.__memory_base",
    "env.__table_base",
    // The upper half of a number of 64 bits that a function has returned.
    "env.getTempRet0",
    "GOT.func.sqlite3_powersync_init",
];

/// Which call is suspended: the main module's, and so the same for both.
const ASYNCHRONOUS_IMPORTS: &[&str] = &["env.__asyncify_state", "env.__asyncify_data"];

/// What the main module's script calls before the first function.
const RELOCATIONS: &str = "__wasm_apply_data_relocs";

/// What it calls to suspend and to go on.
const ASYNCHRONOUS_EXPORTS: &[&str] = &[
    "asyncify_get_state",
    "asyncify_start_rewind",
    "asyncify_start_unwind",
    "asyncify_stop_rewind",
    "asyncify_stop_unwind",
];

/// What is in a module.
#[derive(Debug, Default)]
struct Module {
    custom_sections: Vec<String>,
    imports: BTreeSet<String>,
    exports: BTreeSet<String>,
    /// Imported functions, by name, and the ones that are exported, with their types.
    functions: Vec<(String, FuncType)>,
}

/// Checks a module by the name of its file.
///
/// # Errors
/// Says what is wrong.
pub(super) fn check_file(path: &Path) -> Result<()> {
    let side = ALL.into_iter().find(|side| path.ends_with(side.name())).context("no side module has this name")?;
    check(side, &std::fs::read(path)?)
}

/// Checks a module.
///
/// # Errors
/// Says what is wrong.
pub(crate) fn check(side: Side, content: &[u8]) -> Result<()> {
    super::says_nothing_of_places(content)?;
    let module = read(content)?;
    ensure!(module.custom_sections == [DYNAMIC], "it has the sections {:?}", module.custom_sections);
    let is_asynchronous = side == Side::Asynchronous;
    let expected = |always: &[&'static str], more: &[&'static str]| -> BTreeSet<String> {
        always.iter().chain(more.iter().filter(|_| is_asynchronous)).map(|&name| name.to_owned()).collect()
    };
    let exports = expected(&[ENTRY_POINTS, &[RELOCATIONS]].concat(), ASYNCHRONOUS_EXPORTS);
    ensure!(module.exports == exports, "exported: {:?}, expected {exports:?}", module.exports);
    let needed = expected(IMPORTS, ASYNCHRONOUS_IMPORTS);
    let missing: Vec<&String> = needed.difference(&module.imports).collect();
    ensure!(missing.is_empty(), "not imported: {missing:?}");
    let others: Vec<&String> =
        module.imports.difference(&needed).filter(|name| !name.starts_with("env.sqlite3_")).collect();
    ensure!(others.is_empty(), "imported: {others:?}");
    let is_wide = |kind: &FuncType| kind.params().iter().chain(kind.results()).any(|value| *value == ValType::I64);
    let wide: Vec<&String> = module.functions.iter().filter(|(_, kind)| is_wide(kind)).map(|(name, _)| name).collect();
    ensure!(wide.is_empty(), "64 bits go through JavaScript undivided: {wide:?}");
    Ok(())
}

fn read(content: &[u8]) -> Result<Module> {
    let mut module = Module::default();
    // Types, and the numbers of functions' types: imported functions come first.
    let (mut types, mut functions) = (Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(content) {
        match payload? {
            Payload::CustomSection(section) => module.custom_sections.push(section.name().to_owned()),
            Payload::TypeSection(section) => {
                types = section.into_iter_err_on_gc_types().collect::<Result<Vec<FuncType>, _>>()?;
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    let name = format!("{}.{}", import.module, import.name);
                    if let TypeRef::Func(kind) = import.ty {
                        functions.push(kind);
                        module.functions.push((name.clone(), function(&types, kind)?));
                    }
                    module.imports.insert(name);
                }
            }
            Payload::FunctionSection(section) => {
                for kind in section {
                    functions.push(kind?);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    let kind = functions.get(usize::try_from(export.index)?);
                    match (export.kind, kind) {
                        (ExternalKind::Func, Some(&kind)) => {
                            module.functions.push((export.name.to_owned(), function(&types, kind)?));
                        }
                        (kind, _) => bail!("{} is exported as {kind:?}", export.name),
                    }
                    module.exports.insert(export.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(module)
}

fn function(types: &[FuncType], number: u32) -> Result<FuncType> {
    types.get(usize::try_from(number)?).cloned().with_context(|| format!("there is no type {number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const I32: u8 = 0x7f;
    const I64: u8 = 0x7e;

    /// A module whose imports and exports are functions of one type, without code.
    struct Example {
        custom: Vec<&'static str>,
        imports: Vec<String>,
        exports: Vec<&'static str>,
        parameter: u8,
    }

    impl Example {
        fn of(side: Side) -> Self {
            let is_asynchronous = side == Side::Asynchronous;
            let more = |names: &'static [&'static str]| names.iter().copied().filter(move |_| is_asynchronous);
            let imports = IMPORTS.iter().copied().chain(more(ASYNCHRONOUS_IMPORTS)).chain(["env.sqlite3_step"]);
            let exports = ENTRY_POINTS.iter().copied().chain([RELOCATIONS]).chain(more(ASYNCHRONOUS_EXPORTS));
            Self {
                custom: vec![DYNAMIC],
                imports: imports.map(str::to_owned).collect(),
                exports: exports.collect(),
                parameter: I32,
            }
        }

        fn bytes(&self) -> Vec<u8> {
            let mut bytes = b"\0asm\x01\0\0\0".to_vec();
            for name in &self.custom {
                section(&mut bytes, 0, &text(name));
            }
            section(&mut bytes, 1, &[1, 0x60, 1, self.parameter, 0]);
            let import = |name: &String| {
                let (module, name) = name.rsplit_once('.').unwrap();
                [text(module), text(name), vec![0, 0]].concat()
            };
            section(&mut bytes, 2, &list(self.imports.iter().map(import).collect()));
            section(&mut bytes, 7, &list(self.exports.iter().map(|name| [text(name), vec![0, 0]].concat()).collect()));
            bytes
        }

        fn problem(&self, side: Side) -> Option<String> {
            check(side, &self.bytes()).err().map(|problem| format!("{problem:#}"))
        }
    }

    fn number(mut value: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value > 0x7f {
            bytes.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
            value >>= 7;
        }
        bytes.push(u8::try_from(value).unwrap());
        bytes
    }

    fn text(text: &str) -> Vec<u8> {
        [number(text.len()), text.as_bytes().to_vec()].concat()
    }

    fn list(items: Vec<Vec<u8>>) -> Vec<u8> {
        [number(items.len()), items.concat()].concat()
    }

    fn section(bytes: &mut Vec<u8>, kind: u8, content: &[u8]) {
        bytes.push(kind);
        bytes.extend(number(content.len()));
        bytes.extend(content);
    }

    #[test]
    fn each_kind_has_its_own_imports_and_exports() {
        let [synchronous, asynchronous] = ALL.map(Example::of);
        assert_eq!(synchronous.problem(Side::Synchronous), None);
        assert_eq!(asynchronous.problem(Side::Asynchronous), None);
        assert!(synchronous.problem(Side::Asynchronous).unwrap().starts_with("exported:"));
        assert!(asynchronous.problem(Side::Synchronous).unwrap().starts_with("exported:"));
    }

    #[test]
    fn what_should_not_be_there_is_found() {
        for side in ALL {
            let problem = |change: fn(&mut Example)| {
                let mut example = Example::of(side);
                change(&mut example);
                example.problem(side).unwrap_or_default()
            };
            assert_eq!(problem(|example| example.custom.push("name")), "it has the sections [\"dylink.0\", \"name\"]");
            assert!(problem(|example| example.custom.clear()).contains("sections []"));
            assert!(problem(|example| example.imports.push("env.malloc".to_owned())).contains("env.malloc"));
            assert!(problem(|example| example.imports.push("wasi.sqlite3_x".to_owned())).contains("wasi.sqlite3_x"));
            assert!(problem(|example| drop(example.imports.remove(0))).contains("not imported: [\"env.memory\"]"));
            assert!(problem(|example| example.exports.push("free")).contains("\"free\""));
            assert!(problem(|example| example.exports.truncate(1)).starts_with("exported:"));
            assert!(problem(|example| example.parameter = I64).contains("env.sqlite3_step"));
        }
    }

    #[test]
    fn what_is_no_module_is_refused() {
        assert!(check(Side::Synchronous, b"no module").is_err());
        assert!(check(Side::Synchronous, b"").is_err());
        assert!(check_file(Path::new("other.wasm")).is_err());
    }
}
