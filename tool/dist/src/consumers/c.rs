//! Unpacks the archive for C, and builds the program of `tests/hosts/static` with it: with pkg-config, as C and as C++,
//! and with CMake.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::consumers::{Outcome, is_installed};
use crate::packages::c::name;
use crate::packages::distribution::Distribution;
use crate::packages::platform;
use crate::packages::tree::Tree;
use crate::static_library;
use tool_support::process::{self, program, repository};

/// Compilers and the oldest languages that the header is valid in, without any warning.
const HEADER_LANGUAGES: &[(&str, &str, &str)] = &[("cc", "c", "c89"), ("c++", "c++", "c++98")];

/// What SQLite's objects need of the system.
const SYSTEM_LIBRARIES: &[&str] = &["-lpthread", "-lm"];

/// Builds and runs.
///
/// # Errors
/// If one of them fails.
pub(super) fn check(distribution: &Distribution, place: &Path) -> Result<Outcome> {
    for needed in ["cc", "c++", "pkg-config"] {
        if !is_installed(needed) {
            return Ok(Outcome::Skipped(format!("{needed} is not installed")));
        }
    }
    let prefix = unpack(distribution, place)?;
    for (compiler, language, standard) in HEADER_LANGUAGES {
        let arguments = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", "-x", language];
        let header = prefix.join("include/powersync.h");
        process::run(program(compiler, &arguments).arg(format!("-std={standard}")).arg(header))?;
    }
    let sqlite = sqlite(place)?;
    with_pkg_config(&prefix, &sqlite, place)?;
    if !is_installed("cmake") {
        println!("SKIPPED: the CMake example, cmake is not installed");
        return Ok(Outcome::Works);
    }
    with_cmake(&prefix, &sqlite, place)?;
    Ok(Outcome::Works)
}

/// Unpacks the archive for this machine and gives the directory with `include` and `lib`.
fn unpack(distribution: &Distribution, place: &Path) -> Result<PathBuf> {
    let name = name(platform::host().context("no packages are made for this platform")?, distribution.version)?;
    let archive = distribution.directory.join(format!("{name}.tar.gz"));
    let unpacked = place.join("unpacked");
    Tree::from_tar_gz(&std::fs::read(archive)?)?.write_directory(&unpacked)?;
    Ok(unpacked.join(name))
}

/// SQLite as a program's own build has it.
struct Sqlite {
    include: PathBuf,
    library: PathBuf,
}

fn sqlite(place: &Path) -> Result<Sqlite> {
    let (include, object) = (static_library::sqlite_source()?, place.join("sqlite3.o"));
    let library = place.join("libsqlite3.a");
    process::run(program("cc", &["-O0", "-c", "-o"]).arg(&object).arg(include.join("sqlite3.c")))?;
    process::run(program("ar", &["rcs"]).arg(&library).arg(object))?;
    Ok(Sqlite { include, library })
}

fn with_pkg_config(prefix: &Path, sqlite: &Sqlite, place: &Path) -> Result<()> {
    let mut ask = program("pkg-config", &["--cflags", "--libs", "powersync"]);
    let answer = process::output(ask.env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig")))?;
    for (compiler, language) in [("cc", "c"), ("c++", "c++")] {
        let host = place.join(format!("host-{compiler}"));
        let mut command = program(compiler, &["-Wall", "-Wextra", "-Werror", "-x", language]);
        command.arg(repository().join("tests/hosts/static/main.c")).args(["-x", "none"]);
        command.arg("-I").arg(&sqlite.include).args(answer.split_whitespace()).arg(&sqlite.library);
        process::run(command.args(SYSTEM_LIBRARIES).arg("-o").arg(&host))?;
        run_host(&host)?;
    }
    Ok(())
}

fn with_cmake(prefix: &Path, sqlite: &Sqlite, place: &Path) -> Result<()> {
    let build = place.join("cmake");
    let mut configure = program("cmake", &["-Wno-dev", "-S", "tests/hosts/static", "-B"]);
    configure.arg(&build);
    for (variable, value) in [
        ("CMAKE_PREFIX_PATH", prefix.to_path_buf()),
        ("SQLite3_INCLUDE_DIR", sqlite.include.clone()),
        ("SQLite3_LIBRARY", sqlite.library.clone()),
        ("CMAKE_C_STANDARD_LIBRARIES", SYSTEM_LIBRARIES.join(" ").into()),
    ] {
        configure.arg(format!("-D{variable}={}", value.display()));
    }
    process::output(&mut configure)?;
    process::output(program("cmake", &["--build"]).arg(&build))?;
    run_host(&build.join("host"))
}

fn run_host(host: &Path) -> Result<()> {
    let printed = process::output(&mut program(&host.display().to_string(), &[]))?;
    let expected = static_library::EXPECTED.repeat(2);
    ensure!(printed == expected, "{} printed {printed:?}, expected {expected:?}", host.display());
    Ok(())
}
