//! The platforms whose libraries go into packages of npm, PyPI and C: one table with their names everywhere.

use std::env::consts::{ARCH, OS};

/// A desktop or server platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Platform {
    /// Operating system and processor as Rust names them.
    rust: (&'static str, &'static str),
    /// The loadable library among the artefacts.
    pub library: &'static str,
    /// The loadable library inside of a package: SQLite derives the entry point's name from this one.
    pub file: &'static str,
    /// The static library among the artefacts.
    pub static_library: &'static str,
    /// The program among the artefacts; None if it is not built for the platform.
    pub program: Option<&'static str>,
    /// Operating system and processor as Node.js names them.
    pub node: (&'static str, &'static str),
    /// Platform tags of a wheel, separated by dots. The Linux libraries use no C library, and the programs for Linux bring
    /// theirs, so that they run with any.
    pub wheel: &'static str,
}

/// Name of the library inside of packages, by operating system.
const LINUX: &str = "libpowersync.so";
const MACOS: &str = "libpowersync.dylib";
const WINDOWS: &str = "powersync.dll";

impl Platform {
    /// The program inside of a package.
    pub(crate) fn program_file(&self) -> &'static str {
        if self.node.0 == "win32" { "rowtide.exe" } else { "rowtide" }
    }
}

/// All of them.
pub(crate) const PLATFORMS: &[Platform] = &[
    Platform {
        rust: ("linux", "x86_64"),
        library: "libpowersync_x64.linux.so",
        file: LINUX,
        static_library: "libpowersync_x64.linux.a",
        program: Some("rowtide_x64.linux"),
        node: ("linux", "x64"),
        wheel: "manylinux_2_17_x86_64.manylinux2014_x86_64.musllinux_1_1_x86_64",
    },
    Platform {
        rust: ("linux", "aarch64"),
        library: "libpowersync_aarch64.linux.so",
        file: LINUX,
        static_library: "libpowersync_aarch64.linux.a",
        program: Some("rowtide_aarch64.linux"),
        node: ("linux", "arm64"),
        wheel: "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
    },
    Platform {
        rust: ("linux", "arm"),
        library: "libpowersync_armv7.linux.so",
        file: LINUX,
        static_library: "libpowersync_armv7.linux.a",
        program: Some("rowtide_armv7.linux"),
        node: ("linux", "arm"),
        wheel: "manylinux_2_17_armv7l.manylinux2014_armv7l.musllinux_1_1_armv7l",
    },
    Platform {
        rust: ("linux", "riscv64"),
        library: "libpowersync_riscv64gc.linux.so",
        file: LINUX,
        static_library: "libpowersync_riscv64gc.linux.a",
        program: Some("rowtide_riscv64gc.linux"),
        node: ("linux", "riscv64"),
        wheel: "manylinux_2_31_riscv64.musllinux_1_2_riscv64",
    },
    Platform {
        rust: ("linux", "x86"),
        library: "libpowersync_x86.linux.so",
        file: LINUX,
        static_library: "libpowersync_x86.linux.a",
        program: None,
        node: ("linux", "ia32"),
        wheel: "manylinux_2_17_i686.manylinux2014_i686.musllinux_1_1_i686",
    },
    Platform {
        rust: ("macos", "x86_64"),
        library: "libpowersync_x64.macos.dylib",
        file: MACOS,
        static_library: "libpowersync_x64.macos.a",
        program: Some("rowtide_x64.macos"),
        node: ("darwin", "x64"),
        wheel: "macosx_10_12_x86_64",
    },
    Platform {
        rust: ("macos", "aarch64"),
        library: "libpowersync_aarch64.macos.dylib",
        file: MACOS,
        static_library: "libpowersync_aarch64.macos.a",
        program: Some("rowtide_aarch64.macos"),
        node: ("darwin", "arm64"),
        wheel: "macosx_11_0_arm64",
    },
    Platform {
        rust: ("windows", "x86_64"),
        library: "powersync_x64.dll",
        file: WINDOWS,
        static_library: "libpowersync_x64.windows.a",
        program: Some("rowtide_x64.windows.exe"),
        node: ("win32", "x64"),
        wheel: "win_amd64",
    },
    Platform {
        rust: ("windows", "x86"),
        library: "powersync_x86.dll",
        file: WINDOWS,
        static_library: "libpowersync_x86.windows.a",
        program: None,
        node: ("win32", "ia32"),
        wheel: "win32",
    },
    Platform {
        rust: ("windows", "aarch64"),
        library: "powersync_aarch64.dll",
        file: WINDOWS,
        static_library: "libpowersync_aarch64.windows.a",
        program: None,
        node: ("win32", "arm64"),
        wheel: "win_arm64",
    },
];

/// The platform that this program runs on; None if no packages are made for it.
pub(crate) fn host() -> Option<&'static Platform> {
    PLATFORMS.iter().find(|platform| platform.rust == (OS, ARCH))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::target::PROGRAMS;

    #[test]
    fn each_program_goes_into_packages() {
        let named: Vec<&str> = PLATFORMS.iter().filter_map(|platform| platform.program).collect();
        assert_eq!(named.len(), PROGRAMS.len());
        assert!(PROGRAMS.iter().all(|target| named.contains(&target.program_name().as_str())));
    }
}
