//! The hosts: what runs which artefact, compiled by what.

use std::path::{Path, PathBuf};

use crate::package::distribution;
use crate::package::target::{TARGETS, Target};

/// How a program for a host is started on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runner {
    /// As it is.
    Native,
    /// By an emulator of the processor, with the directory that holds the libraries for it.
    Emulated { emulator: &'static str, root: &'static str },
    /// By Wine.
    Wine,
}

/// How a library gets into the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// SQLite loads it.
    Loaded,
    /// It is linked.
    Linked,
    /// It is made for another system than the program: a loader of our own maps it, `tests/hosts/image`.
    Mapped,
    /// The same with what a linker for that system makes of a static library.
    LinkedAndMapped,
}

/// One host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Host {
    pub name: &'static str,
    /// The library among the artefacts.
    pub library: &'static str,
    pub way: Way,
    /// The C compiler, with what makes it compile for the host.
    pub compiler: &'static [&'static str],
    pub runner: Runner,
}

const AARCH64: Machine = (&["aarch64-linux-gnu-gcc"], emulated("qemu-aarch64", "/usr/aarch64-linux-gnu"));
const ARMV7: Machine = (&["arm-linux-gnueabihf-gcc"], emulated("qemu-arm", "/usr/arm-linux-gnueabihf"));
/// Android passes floating-point numbers in ordinary registers on 32-bit ARM.
const SOFT_FLOAT: Machine = (&["arm-linux-gnueabi-gcc"], emulated("qemu-arm", "/usr/arm-linux-gnueabi"));
const RISCV64: Machine = (&["riscv64-linux-gnu-gcc"], emulated("qemu-riscv64", "/usr/riscv64-linux-gnu"));
const X86: Machine = (&["i686-linux-gnu-gcc"], ON_X86);
/// Windows aligns the stack to 4 bytes, Linux to 16.
const UNALIGNED_X86: Machine = (&["i686-linux-gnu-gcc", "-mincoming-stack-boundary=2"], ON_X86);
const ON_X86: Runner = emulated("qemu-i386", "/usr/i686-linux-gnu");
const X64: Machine = (&["x86_64-linux-gnu-gcc"], Runner::Native);
const MUSL: Machine = (&["musl-gcc"], Runner::Native);
/// Compiles for Windows on x86-64.
pub(crate) const WINE_COMPILER: &str = "x86_64-w64-mingw32-gcc";
const WINE: Machine = (&[WINE_COMPILER], Runner::Wine);

const fn emulated(emulator: &'static str, root: &'static str) -> Runner {
    Runner::Emulated { emulator, root }
}

/// A program and how it is started.
type Machine = (&'static [&'static str], Runner);

const fn host(name: &'static str, library: &'static str, way: Way, (compiler, runner): Machine) -> Host {
    Host { name, library, way, compiler, runner }
}

const fn loaded(name: &'static str, library: &'static str, machine: Machine) -> Host {
    host(name, library, Way::Loaded, machine)
}

const fn linked(name: &'static str, library: &'static str, machine: Machine) -> Host {
    host(name, library, Way::Linked, machine)
}

const fn mapped(name: &'static str, library: &'static str, machine: Machine) -> Host {
    host(name, library, Way::Mapped, machine)
}

const fn linked_and_mapped(name: &'static str, library: &'static str, machine: Machine) -> Host {
    host(name, library, Way::LinkedAndMapped, machine)
}

/// Names the library of a framework in the XCFramework.
macro_rules! framework {
    ($slice:literal, $contents:literal) => {
        concat!(
            "powersync-sqlite-core.xcframework/",
            $slice,
            "/powersync-sqlite-core.framework/",
            $contents,
            "powersync-sqlite-core"
        )
    };
}

const MACOS: &str = framework!("macos-arm64_x86_64", "Versions/A/");
const IOS: &str = framework!("ios-arm64", "");
const IOS_SIMULATOR: &str = framework!("ios-arm64_x86_64-simulator", "");
const TVOS: &str = framework!("tvos-arm64", "");
const TVOS_SIMULATOR: &str = framework!("tvos-arm64_x86_64-simulator", "");

/// All hosts.
pub(crate) const HOSTS: &[Host] = &[
    loaded("x86-64 Linux glibc", "libpowersync_x64.linux.so", X64),
    linked("x86-64 Linux glibc static", "libpowersync_x64.linux.a", X64),
    loaded("x86-64 Linux musl", "libpowersync_x64.linux.so", MUSL),
    linked("x86-64 Linux musl static", "libpowersync_x64.linux.a", MUSL),
    loaded("aarch64 Linux", "libpowersync_aarch64.linux.so", AARCH64),
    linked("aarch64 Linux static", "libpowersync_aarch64.linux.a", AARCH64),
    loaded("armv7 Linux", "libpowersync_armv7.linux.so", ARMV7),
    linked("armv7 Linux static", "libpowersync_armv7.linux.a", ARMV7),
    loaded("riscv64 Linux", "libpowersync_riscv64gc.linux.so", RISCV64),
    linked("riscv64 Linux static", "libpowersync_riscv64gc.linux.a", RISCV64),
    loaded("i686 Linux", "libpowersync_x86.linux.so", X86),
    linked("i686 Linux static", "libpowersync_x86.linux.a", X86),
    loaded("arm64 library of Android", "libpowersync_aarch64.android.so", AARCH64),
    loaded("armv7 library of Android", "libpowersync_armv7.android.so", SOFT_FLOAT),
    loaded("x86-64 library of Android", "libpowersync_x64.android.so", X64),
    loaded("x86 library of Android", "libpowersync_x86.android.so", X86),
    linked("arm64 library of Android static", "libpowersync_aarch64.android.a", AARCH64),
    linked("armv7 library of Android static", "libpowersync_armv7.android.a", SOFT_FLOAT),
    linked("x86-64 library of Android static", "libpowersync_x64.android.a", X64),
    linked("x86 library of Android static", "libpowersync_x86.android.a", X86),
    loaded("x64 Windows", "powersync_x64.dll", WINE),
    linked("x64 Windows static", "libpowersync_x64.windows.a", WINE),
    mapped("x86 Windows", "powersync_x86.dll", UNALIGNED_X86),
    mapped("arm64 Windows", "powersync_aarch64.dll", AARCH64),
    linked_and_mapped("x86 Windows static", "libpowersync_x86.windows.a", UNALIGNED_X86),
    linked_and_mapped("arm64 Windows static", "libpowersync_aarch64.windows.a", AARCH64),
    mapped("arm64 macOS", "libpowersync_aarch64.macos.dylib", AARCH64),
    mapped("x86-64 macOS", "libpowersync_x64.macos.dylib", X64),
    mapped("arm64 macOS framework", MACOS, AARCH64),
    mapped("x86-64 macOS framework", MACOS, X64),
    mapped("arm64 iOS framework", IOS, AARCH64),
    mapped("arm64 iOS Simulator framework", IOS_SIMULATOR, AARCH64),
    mapped("x86-64 iOS Simulator framework", IOS_SIMULATOR, X64),
    mapped("arm64 tvOS framework", TVOS, AARCH64),
    mapped("arm64 tvOS Simulator framework", TVOS_SIMULATOR, AARCH64),
    mapped("x86-64 tvOS Simulator framework", TVOS_SIMULATOR, X64),
    linked_and_mapped("arm64 macOS static", "libpowersync_aarch64.macos.a", AARCH64),
    linked_and_mapped("x86-64 macOS static", "libpowersync_x64.macos.a", X64),
    linked_and_mapped("arm64 iOS static", "libpowersync_aarch64.ios.a", AARCH64),
    linked_and_mapped("arm64 iOS Simulator static", "libpowersync_aarch64.ios-sim.a", AARCH64),
    linked_and_mapped("x86-64 iOS Simulator static", "libpowersync_x64.ios-sim.a", X64),
    linked_and_mapped("arm64 tvOS static", "libpowersync_aarch64.tvos.a", AARCH64),
    linked_and_mapped("arm64 tvOS Simulator static", "libpowersync_aarch64.tvos-sim.a", AARCH64),
    linked_and_mapped("x86-64 tvOS Simulator static", "libpowersync_x64.tvos-sim.a", X64),
    linked_and_mapped("arm64 watchOS static", "libpowersync_aarch64.watchos.a", AARCH64),
    linked_and_mapped("arm64 watchOS Simulator static", "libpowersync_aarch64.watchos-sim.a", AARCH64),
    linked_and_mapped("x86-64 watchOS Simulator static", "libpowersync_x64.watchos-sim.a", X64),
];

impl Host {
    /// Why it cannot be run here; None if it can.
    pub(crate) fn obstacle(&self) -> Option<String> {
        if !self.artefact().is_file() {
            return Some(format!("there is no {}: cargo xtask package builds it", self.library));
        }
        let starter = match self.runner {
            Runner::Native => None,
            Runner::Emulated { emulator, .. } => Some(emulator),
            Runner::Wine => Some("wine"),
        };
        let programs = self.compiler.first().into_iter().copied().chain(starter);
        let missing: Vec<&str> = programs.filter(|name| find(name).is_none()).collect();
        (!missing.is_empty()).then(|| format!("not installed: {}", missing.join(", ")))
    }

    /// The library.
    pub(crate) fn artefact(&self) -> PathBuf {
        distribution().join(self.library)
    }

    /// What its static library was built for; None if there is no target with such a library.
    pub(crate) fn target(&self) -> Option<&'static Target> {
        TARGETS.iter().find(|target| target.static_name() == self.library)
    }
}

/// Where a program is: in the search path by its name, or by one that Debian gives it.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let names = match name {
        "chromium" => &["chromium", "chromium-browser", "google-chrome"][..],
        "clang" => &["clang", "clang-14"],
        "wine" => &["wine", "/usr/lib/wine/wine64"],
        _ => &[name],
    };
    let path = std::env::var_os("PATH")?;
    let places = |name: &&str| std::env::split_paths(&path).map(|place| place.join(name)).find(|file| file.is_file());
    names.iter().find_map(|name| if Path::new(name).is_file() { Some(PathBuf::from(name)) } else { places(name) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::web;

    /// What no host is for; README says so too.
    const NOT_RUN: &[&str] = &["libpowersync_arm64_32.watchos.a", "libpowersync_armv7k.watchos.a"];

    #[test]
    fn all_other_libraries_are_run() {
        let is_run = |name: &str| name == web::LIBRARY || HOSTS.iter().any(|host| host.library == name);
        for target in TARGETS {
            let name = target.static_name();
            assert_ne!(is_run(&name), NOT_RUN.contains(&name.as_str()), "{name}");
            assert!(!target.ships_loadable() || is_run(&target.loadable_name()), "{}", target.triple);
        }
    }

    #[test]
    fn libraries_of_frameworks_are_run_on_each_of_their_processors() {
        for target in TARGETS.iter().filter(|target| target.is_loadable) {
            let Some(slice) = target.slice else { continue };
            let machine = if target.architecture == "x64" { X64 } else { AARCH64 };
            let is_run = |host: &Host| host.library.contains(&format!("/{slice}/")) && host.compiler == machine.0;
            assert!(HOSTS.iter().any(is_run), "{}", target.triple);
        }
    }

    #[test]
    fn names_are_of_one_host_each_and_static_libraries_of_a_target() {
        for (index, host) in HOSTS.iter().enumerate() {
            assert!(HOSTS.iter().skip(index + 1).all(|other| other.name != host.name), "{}", host.name);
            assert!(host.way != Way::LinkedAndMapped || host.target().is_some(), "{}", host.name);
        }
    }
}
