//! What each artefact may be large.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::packages::web;

/// Bytes by the end of the artefact's name, which includes the whole of a library's: some hundredths above what there is.
/// Static libraries are larger than loaded ones for they have relocations, and names; those for Windows also hold the
/// zeros of the memory reserve, which `objcopy` writes out, and that for arm64_32 the compiler's own form of some functions.
const BUDGETS: &[(&str, u64)] = &[
    ("libpowersync_x64.linux.so", 485_000),
    ("libpowersync_aarch64.linux.so", 459_000),
    ("libpowersync_armv7.linux.so", 512_000),
    ("libpowersync_riscv64gc.linux.so", 439_000),
    ("libpowersync_x86.linux.so", 523_000),
    ("libpowersync_x64.android.so", 517_000),
    ("libpowersync_aarch64.android.so", 460_000),
    ("libpowersync_armv7.android.so", 366_000),
    ("libpowersync_x86.android.so", 523_000),
    ("libpowersync_aarch64.macos.dylib", 492_000),
    ("libpowersync_aarch64.ios.dylib", 492_000),
    ("libpowersync_aarch64.ios-sim.dylib", 492_000),
    ("libpowersync_aarch64.tvos.dylib", 492_000),
    ("libpowersync_aarch64.tvos-sim.dylib", 492_000),
    ("libpowersync_x64.macos.dylib", 517_000),
    ("libpowersync_x64.ios-sim.dylib", 517_000),
    ("libpowersync_x64.tvos-sim.dylib", 517_000),
    ("powersync_x64.dll", 523_000),
    ("powersync_x86.dll", 470_000),
    ("powersync_aarch64.dll", 476_000),
    ("libpowersync_x64.linux.a", 1_323_000),
    ("libpowersync_aarch64.linux.a", 1_616_000),
    ("libpowersync_armv7.linux.a", 1_288_000),
    ("libpowersync_riscv64gc.linux.a", 1_760_000),
    ("libpowersync_x86.linux.a", 1_084_000),
    ("libpowersync_x64.android.a", 1_359_000),
    ("libpowersync_aarch64.android.a", 1_616_000),
    ("libpowersync_armv7.android.a", 1_144_000),
    ("libpowersync_x86.android.a", 1_084_000),
    ("libpowersync_aarch64.macos.a", 1_157_000),
    ("libpowersync_aarch64.ios.a", 1_157_000),
    ("libpowersync_aarch64.ios-sim.a", 1_157_000),
    ("libpowersync_aarch64.tvos.a", 1_157_000),
    ("libpowersync_aarch64.tvos-sim.a", 1_157_000),
    ("libpowersync_aarch64.watchos.a", 1_157_000),
    ("libpowersync_aarch64.watchos-sim.a", 1_157_000),
    ("libpowersync_x64.macos.a", 1_097_000),
    ("libpowersync_x64.ios-sim.a", 1_097_000),
    ("libpowersync_x64.tvos-sim.a", 1_097_000),
    ("libpowersync_x64.watchos-sim.a", 1_097_000),
    ("libpowersync_arm64_32.watchos.a", 1_474_000),
    ("libpowersync_armv7k.watchos.a", 1_197_000),
    ("libpowersync_x64.windows.a", 4_448_000),
    ("libpowersync_x86.windows.a", 2_957_000),
    ("libpowersync_aarch64.windows.a", 4_346_000),
    ("libpowersync-wasm.a", 1_186_000),
    ("powersync.side.wasm", 492_000),
    ("powersync.side-async.wasm", 994_000),
    (".tgz", 288_000),
    (".whl", 288_000),
    (".windows.tar.gz", 794_000),
    (".tar.gz", 480_000),
    (".aar", 2_047_000),
    (".xcframework.zip", 4_059_000),
];

/// The same for the package for browsers, which has two modules.
const WEB_BUDGET: u64 = 565_000;

/// The same for files that begin with the name of the program.
const PROGRAM_BUDGETS: &[(&str, u64)] = &[
    ("linux", 20_000_000),
    ("macos", 20_000_000),
    (".windows.exe", 20_000_000),
    (".tgz", 11_000_000),
    (".whl", 11_000_000),
];

/// Checks a file's size.
///
/// # Errors
/// If it is larger, or nothing is said of it.
pub(crate) fn check(path: &Path) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    within(&name, std::fs::metadata(path)?.len())
}

fn within(name: &str, size: u64) -> Result<()> {
    let budgets = if name.starts_with("rowtide") { PROGRAM_BUDGETS } else { BUDGETS };
    let budget = match budgets.iter().find(|(end, _)| name.ends_with(end)) {
        Some(_) if name.starts_with(web::NAME) => Some(WEB_BUDGET),
        found => found.map(|(_, budget)| *budget),
    };
    let budget = budget.with_context(|| format!("nothing says how large {name} may be"))?;
    ensure!(size <= budget, "{size} bytes are more than {budget}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::side;
    use crate::package::target::{PROGRAMS, TARGETS};

    #[test]
    fn each_library_has_a_budget() {
        for target in TARGETS {
            within(&target.static_name(), 0).unwrap();
            if target.is_loadable {
                within(&target.loadable_name(), 0).unwrap();
            }
            side::names(target).for_each(|name| within(name, 0).unwrap());
        }
        assert!(within("libpowersync_x64.other.so", 0).is_err());
    }

    #[test]
    fn each_program_has_a_budget() {
        for target in PROGRAMS {
            within(&target.program_name(), 0).unwrap();
            assert!(within(&target.program_name(), 20_000_001).is_err());
        }
        within("powersync-sqlite-core-web-0.5.100.tgz", WEB_BUDGET).unwrap();
        assert!(within("powersync-sqlite-core-web-0.5.100.tgz", WEB_BUDGET + 1).is_err());
        within("rowtide-linux-x64-0.5.100.tgz", 1_000_000).unwrap();
        assert!(within("powersync-sqlite-core-linux-x64-0.5.100.tgz", 1_000_000).is_err());
    }

    #[test]
    fn what_is_larger_is_refused() {
        for (name, budget) in BUDGETS {
            assert!(within(name, *budget).is_ok(), "{name}");
            assert!(within(name, *budget + 1).is_err(), "{name}");
        }
        assert!(within("powersync_sqlite_core-0.5.100-py3-none-win32.whl", 11_400_000).is_err());
    }
}
