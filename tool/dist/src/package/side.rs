//! The side modules: the extension for builds of SQLite that are WebAssembly and link libraries at run time by the
//! conventions of emscripten, such as those that `@journeyapps/wa-sqlite` publishes as *dynamic main*.
//!
//! Stable Rust compiles one: with link-time optimization over everything, all of it is position-independent, `core` too.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::archive::ENTRY_POINTS;
use super::binaryen::Binaryen;
use super::compile;
use super::target::{Platform, TARGETS, Target};
use super::toolchain::Toolchain;
use super::{Built, scratch};
use tool_support::process;

/// How they are called where it is said that they are missing.
pub(super) const NAME: &str = "side modules";

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// For SQLite whose calls return when they are done.
    Synchronous,
    /// For SQLite that can suspend a call, with all that is below it, until the browser has answered.
    Asynchronous,
}

pub(crate) const ALL: [Side; 2] = [Side::Synchronous, Side::Asynchronous];

/// Numbers of 64 bits go through JavaScript in two halves, as the main modules expect.
const LEGALIZE: &str = "--legalize-js-interface";

impl Side {
    /// The file name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Synchronous => "powersync.side.wasm",
            Self::Asynchronous => "powersync.side-async.wasm",
        }
    }

    /// What becomes of the linked module. What has been suspended where is known to the main module.
    fn passes(self) -> &'static [&'static str] {
        match self {
            Self::Synchronous => &[LEGALIZE],
            Self::Asynchronous => &[LEGALIZE, "--asyncify", "--pass-arg=asyncify-import-globals"],
        }
    }
}

/// The file names of those made for a target.
pub(crate) fn names(target: &Target) -> impl Iterator<Item = &'static str> {
    let is_made = target.platform == Platform::Wasm;
    ALL.into_iter().filter(move |_| is_made).map(Side::name)
}

/// Builds them alone, for tests.
///
/// # Errors
/// If they cannot be built.
pub(crate) fn build_in(directory: &Path) -> Result<Option<String>> {
    let target = TARGETS.iter().find(|target| target.platform == Platform::Wasm).context("there is no WebAssembly")?;
    match build(&Toolchain::find()?, target, directory)? {
        Built::Libraries => Ok(None),
        Built::Not(reason) => Ok(Some(reason)),
    }
}

/// Builds them into a directory.
///
/// # Errors
/// If the library does not compile or link.
pub(super) fn build(toolchain: &Toolchain, target: &Target, directory: &Path) -> Result<Built> {
    let (core, binaryen) = match toolchain.prepare(target).and_then(|core| Ok((core, Binaryen::obtain()?))) {
        Ok(tools) => tools,
        Err(reason) => return Ok(Built::Not(format!("{reason:#}"))),
    };
    let place = scratch(target).join("side");
    std::fs::create_dir_all(&place)?;
    let archive = compile::compile_movable(toolchain, target, core, compile::STATIC)?;
    let linked = place.join("linked.wasm");
    link(toolchain, &archive, &linked)?;
    std::thread::scope(|scope| {
        let (binaryen, linked, place) = (&binaryen, &linked, &place);
        let start = |side| (side, scope.spawn(move || optimise(binaryen, linked, side, place)));
        // All are started before the first is waited for.
        let running: Vec<_> = ALL.into_iter().map(start).collect();
        for (side, thread) in running {
            let made = thread.join().map_err(|_| anyhow::anyhow!("the optimiser's thread has ended"))??;
            std::fs::copy(made, directory.join(side.name()))?;
        }
        Ok(Built::Libraries)
    })
}

fn link(toolchain: &Toolchain, archive: &Path, output: &Path) -> Result<()> {
    let mut linker = toolchain.linker("wasm");
    linker.args(["-shared", "--experimental-pic", "--no-entry", "--unresolved-symbols=import-dynamic"]);
    linker.args(["--gc-sections", "--strip-all"]);
    for name in ENTRY_POINTS {
        linker.arg(format!("--export={name}")).args(["--undefined", name]);
    }
    process::run(linker.arg(archive).arg("-o").arg(output))
}

/// Optimises, which takes long, unless the same was done before; gives where the result is.
fn optimise(binaryen: &Binaryen, linked: &Path, side: Side, place: &Path) -> Result<PathBuf> {
    let (output, mark) = (place.join(side.name()), place.join(side.name()).with_extension("made-of"));
    let made_of = format!("{:x} {} {:?}", Sha256::digest(std::fs::read(linked)?), Binaryen::VERSION, side.passes());
    if output.is_file() && std::fs::read_to_string(&mark).is_ok_and(|text| text == made_of) {
        return Ok(output);
    }
    binaryen.optimise(linked, side.passes(), &output).with_context(|| format!("cannot make {}", side.name()))?;
    std::fs::write(mark, made_of)?;
    Ok(output)
}
