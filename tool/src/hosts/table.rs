//! The hosts: what runs which artefact, compiled by what.

use std::path::{Path, PathBuf};

use crate::package::distribution;

/// How a program for a host is started on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runner {
    /// As it is.
    Native,
    /// By an emulator of the processor, with the directory that holds the libraries for it.
    Emulated { emulator: &'static str, root: &'static str },
    /// By Wine.
    Wine,
}

/// One host.
#[derive(Debug, Clone, Copy)]
pub struct Host {
    pub name: &'static str,
    /// The library among the artefacts: linked if it is a static one, else loaded.
    pub library: &'static str,
    /// The C compiler, with what makes it compile for the host.
    pub compiler: &'static [&'static str],
    pub runner: Runner,
}

const AARCH64: &[&str] = &["aarch64-linux-gnu-gcc"];
const ON_AARCH64: Runner = Runner::Emulated { emulator: "qemu-aarch64", root: "/usr/aarch64-linux-gnu" };
const ARMV7: &[&str] = &["arm-linux-gnueabihf-gcc"];
const ON_ARMV7: Runner = Runner::Emulated { emulator: "qemu-arm", root: "/usr/arm-linux-gnueabihf" };
/// Android passes floating-point numbers in ordinary registers on 32-bit ARM.
const SOFT_FLOAT: &[&str] = &["arm-linux-gnueabi-gcc"];
const ON_SOFT_FLOAT: Runner = Runner::Emulated { emulator: "qemu-arm", root: "/usr/arm-linux-gnueabi" };
const RISCV64: &[&str] = &["riscv64-linux-gnu-gcc"];
const ON_RISCV64: Runner = Runner::Emulated { emulator: "qemu-riscv64", root: "/usr/riscv64-linux-gnu" };
const X86: &[&str] = &["i686-linux-gnu-gcc"];
const ON_X86: Runner = Runner::Emulated { emulator: "qemu-i386", root: "/usr/i686-linux-gnu" };
const X64: &[&str] = &["x86_64-linux-gnu-gcc"];
const MUSL: &[&str] = &["musl-gcc"];
const WINDOWS: &[&str] = &["x86_64-w64-mingw32-gcc"];

const fn host(name: &'static str, library: &'static str, compiler: &'static [&'static str], runner: Runner) -> Host {
    Host { name, library, compiler, runner }
}

/// All hosts.
pub const HOSTS: &[Host] = &[
    host("x86-64 Linux glibc", "libpowersync_x64.linux.so", X64, Runner::Native),
    host("x86-64 Linux glibc static", "libpowersync_x64.linux.a", X64, Runner::Native),
    host("x86-64 Linux musl", "libpowersync_x64.linux.so", MUSL, Runner::Native),
    host("x86-64 Linux musl static", "libpowersync_x64.linux.a", MUSL, Runner::Native),
    host("aarch64 Linux", "libpowersync_aarch64.linux.so", AARCH64, ON_AARCH64),
    host("aarch64 Linux static", "libpowersync_aarch64.linux.a", AARCH64, ON_AARCH64),
    host("armv7 Linux", "libpowersync_armv7.linux.so", ARMV7, ON_ARMV7),
    host("armv7 Linux static", "libpowersync_armv7.linux.a", ARMV7, ON_ARMV7),
    host("riscv64 Linux", "libpowersync_riscv64gc.linux.so", RISCV64, ON_RISCV64),
    host("riscv64 Linux static", "libpowersync_riscv64gc.linux.a", RISCV64, ON_RISCV64),
    host("i686 Linux", "libpowersync_x86.linux.so", X86, ON_X86),
    host("i686 Linux static", "libpowersync_x86.linux.a", X86, ON_X86),
    host("arm64 library of Android", "libpowersync_aarch64.android.so", AARCH64, ON_AARCH64),
    host("armv7 library of Android", "libpowersync_armv7.android.so", SOFT_FLOAT, ON_SOFT_FLOAT),
    host("x86-64 library of Android", "libpowersync_x64.android.so", X64, Runner::Native),
    host("x86 library of Android", "libpowersync_x86.android.so", X86, ON_X86),
    host("x64 Windows", "powersync_x64.dll", WINDOWS, Runner::Wine),
];

impl Host {
    /// Why it cannot be run here; None if it can.
    pub fn obstacle(&self) -> Option<String> {
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
    pub fn artefact(&self) -> PathBuf {
        distribution().join(self.library)
    }

    /// Whether the library is linked into the program.
    pub fn is_static(&self) -> bool {
        self.library.ends_with(".a")
    }
}

/// Where a program is: in the search path by its name, or by one that Debian gives it.
pub fn find(name: &str) -> Option<PathBuf> {
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
