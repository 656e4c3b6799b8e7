//! The targets that packages are built for: one table with everything that differs between them.

/// What a target's libraries run on; artefacts are named after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Platform {
    Linux,
    Android,
    MacOs,
    Ios,
    IosSimulator,
    TvOs,
    TvOsSimulator,
    WatchOs,
    WatchOsSimulator,
    Windows,
    Wasm,
}

/// The file format of a platform's objects and libraries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Elf,
    MachO,
    Pe,
    Wasm,
}

/// What Apple's linker writes about a platform into each image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Apple {
    /// The platform's name for the linker.
    pub name: &'static str,
    /// The number of the platform in `LC_BUILD_VERSION`.
    pub number: u32,
    /// The environment variable that gives rustc the oldest system.
    pub variable: &'static str,
    /// The version of the SDK that is claimed.
    pub sdk: &'static str,
}

impl Platform {
    /// As it is called in the names of artefacts.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Android => "android",
            Self::MacOs => "macos",
            Self::Ios => "ios",
            Self::IosSimulator => "ios-sim",
            Self::TvOs => "tvos",
            Self::TvOsSimulator => "tvos-sim",
            Self::WatchOs => "watchos",
            Self::WatchOsSimulator => "watchos-sim",
            Self::Windows => "windows",
            Self::Wasm => "wasm",
        }
    }

    /// The word for `--only` that selects it.
    pub(crate) fn group(self) -> &'static str {
        match self.apple() {
            Some(_) => "apple",
            None => self.name(),
        }
    }

    pub(crate) fn format(self) -> Format {
        match self {
            Self::Linux | Self::Android => Format::Elf,
            Self::Windows => Format::Pe,
            Self::Wasm => Format::Wasm,
            _ => Format::MachO,
        }
    }

    /// What is specific to Apple's platforms; None for others.
    pub(crate) fn apple(self) -> Option<Apple> {
        let (name, number, variable, sdk) = match self {
            Self::MacOs => ("macos", 1, "MACOSX_DEPLOYMENT_TARGET", "14.0"),
            Self::Ios => ("ios", 2, "IPHONEOS_DEPLOYMENT_TARGET", "17.0"),
            Self::TvOs => ("tvos", 3, "TVOS_DEPLOYMENT_TARGET", "17.0"),
            Self::WatchOs => ("watchos", 4, "WATCHOS_DEPLOYMENT_TARGET", "10.0"),
            Self::IosSimulator => ("ios-simulator", 7, "IPHONEOS_DEPLOYMENT_TARGET", "17.0"),
            Self::TvOsSimulator => ("tvos-simulator", 8, "TVOS_DEPLOYMENT_TARGET", "17.0"),
            Self::WatchOsSimulator => ("watchos-simulator", 9, "WATCHOS_DEPLOYMENT_TARGET", "10.0"),
            Self::Linux | Self::Android | Self::Windows | Self::Wasm => return None,
        };
        Some(Apple { name, number, variable, sdk })
    }
}

/// Where the target's `core` and `alloc` come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Core {
    /// As rustup delivers them.
    Prebuilt,
    /// Compiled from the component `rust-src`: the prebuilt ones are made to unwind, which needs functions that do not
    /// exist where no C library is linked, or there are none.
    Source,
}

/// One target of rustc, and what is made for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    /// Its name in rustc.
    pub triple: &'static str,
    pub platform: Platform,
    /// The architecture as it is called in the names of artefacts.
    pub architecture: &'static str,
    /// The architecture as the linker calls it: an emulation for ELF, `-arch` for Mach-O, `/machine` for PE.
    pub linker_architecture: &'static str,
    /// The oldest version of an Apple system that it runs on; for others empty.
    pub minimum: &'static str,
    pub core: Core,
    /// Whether a library is made that is loaded at run time.
    pub is_loadable: bool,
    /// The directory of the XCFramework that the library goes into; universal with all others that name it.
    pub slice: Option<&'static str>,
}

impl Target {
    /// The file name of the loadable library.
    pub(crate) fn loadable_name(&self) -> String {
        let (architecture, platform) = (self.architecture, self.platform.name());
        match self.platform.format() {
            Format::Pe => format!("powersync_{architecture}.dll"),
            Format::MachO => format!("libpowersync_{architecture}.{platform}.dylib"),
            Format::Elf | Format::Wasm => format!("libpowersync_{architecture}.{platform}.so"),
        }
    }

    /// The file name of the static library.
    pub(crate) fn static_name(&self) -> String {
        match self.platform {
            Platform::Wasm => "libpowersync-wasm.a".to_owned(),
            _ => format!("libpowersync_{}.{}.a", self.architecture, self.platform.name()),
        }
    }

    /// The file name of the program.
    pub(crate) fn program_name(&self) -> String {
        let end = if self.platform == Platform::Windows { ".exe" } else { "" };
        format!("rowtide_{}.{}{end}", self.architecture, self.platform.name())
    }

    /// Whether debug information can be removed from its objects: `objcopy` crashes on those for arm64_32 (LLVM 22),
    /// and cannot change WebAssembly. These are compiled without.
    pub(crate) fn can_be_stripped(&self) -> bool {
        self.platform != Platform::Wasm && self.linker_architecture != "arm64_32"
    }

    /// Whether a loadable library is made that becomes a part of the XCFramework.
    pub(crate) fn has_framework_binary(&self) -> bool {
        self.is_loadable && self.slice.is_some()
    }

    /// Whether the loadable library is a separate artefact, not only a part of the XCFramework.
    pub(crate) fn ships_loadable(&self) -> bool {
        self.is_loadable && (self.platform == Platform::MacOs || self.slice.is_none())
    }
}

const fn elf(triple: &'static str, platform: Platform, architecture: &'static str, emulation: &'static str) -> Target {
    Target {
        triple,
        platform,
        architecture,
        linker_architecture: emulation,
        minimum: "",
        core: Core::Prebuilt,
        is_loadable: true,
        slice: None,
    }
}

const fn windows(triple: &'static str, architecture: &'static str, machine: &'static str) -> Target {
    Target { core: Core::Source, ..elf(triple, Platform::Windows, architecture, machine) }
}

const fn apple(
    triple: &'static str,
    platform: Platform,
    (architecture, linker_architecture): (&'static str, &'static str),
    minimum: &'static str,
    slice: &'static str,
) -> Target {
    let is_loadable = !matches!(platform, Platform::WatchOs | Platform::WatchOsSimulator);
    Target {
        minimum,
        core: Core::Source,
        is_loadable,
        slice: Some(slice),
        ..elf(triple, platform, architecture, linker_architecture)
    }
}

const ARM64: (&str, &str) = ("aarch64", "arm64");
const X86_64: (&str, &str) = ("x64", "x86_64");

const MACOS_SLICE: &str = "macos-arm64_x86_64";
const IOS_SIMULATOR_SLICE: &str = "ios-arm64_x86_64-simulator";
const TVOS_SIMULATOR_SLICE: &str = "tvos-arm64_x86_64-simulator";
const WATCHOS_SLICE: &str = "watchos-arm64_arm64_32_armv7k";
const WATCHOS_SIMULATOR_SLICE: &str = "watchos-arm64_x86_64-simulator";

/// All targets. Android's minimum, API level 21, shows in nothing but the hash styles. Libraries for simulators older
/// than 13.0 say the platform in a way that does not distinguish them from devices.
pub(crate) const TARGETS: &[Target] = &[
    elf("x86_64-unknown-linux-gnu", Platform::Linux, "x64", "elf_x86_64"),
    elf("aarch64-unknown-linux-gnu", Platform::Linux, "aarch64", "aarch64linux"),
    elf("armv7-unknown-linux-gnueabihf", Platform::Linux, "armv7", "armelf_linux_eabi"),
    elf("riscv64gc-unknown-linux-gnu", Platform::Linux, "riscv64gc", "elf64lriscv"),
    elf("i686-unknown-linux-gnu", Platform::Linux, "x86", "elf_i386"),
    elf("aarch64-linux-android", Platform::Android, "aarch64", "aarch64linux"),
    elf("armv7-linux-androideabi", Platform::Android, "armv7", "armelf_linux_eabi"),
    elf("x86_64-linux-android", Platform::Android, "x64", "elf_x86_64"),
    elf("i686-linux-android", Platform::Android, "x86", "elf_i386"),
    apple("aarch64-apple-darwin", Platform::MacOs, ARM64, "11.0", MACOS_SLICE),
    apple("x86_64-apple-darwin", Platform::MacOs, X86_64, "10.12", MACOS_SLICE),
    apple("aarch64-apple-ios", Platform::Ios, ARM64, "12.0", "ios-arm64"),
    apple("aarch64-apple-ios-sim", Platform::IosSimulator, ARM64, "14.0", IOS_SIMULATOR_SLICE),
    apple("x86_64-apple-ios", Platform::IosSimulator, X86_64, "13.0", IOS_SIMULATOR_SLICE),
    apple("aarch64-apple-tvos", Platform::TvOs, ARM64, "12.0", "tvos-arm64"),
    apple("aarch64-apple-tvos-sim", Platform::TvOsSimulator, ARM64, "14.0", TVOS_SIMULATOR_SLICE),
    apple("x86_64-apple-tvos", Platform::TvOsSimulator, X86_64, "13.0", TVOS_SIMULATOR_SLICE),
    // The first version for this processor: LLVM writes it into objects whatever it is asked for.
    apple("aarch64-apple-watchos", Platform::WatchOs, ARM64, "26.0", WATCHOS_SLICE),
    apple("arm64_32-apple-watchos", Platform::WatchOs, ("arm64_32", "arm64_32"), "9.0", WATCHOS_SLICE),
    apple("armv7k-apple-watchos", Platform::WatchOs, ("armv7k", "armv7k"), "5.0", WATCHOS_SLICE),
    apple("aarch64-apple-watchos-sim", Platform::WatchOsSimulator, ARM64, "9.0", WATCHOS_SIMULATOR_SLICE),
    apple("x86_64-apple-watchos-sim", Platform::WatchOsSimulator, X86_64, "9.0", WATCHOS_SIMULATOR_SLICE),
    windows("x86_64-pc-windows-msvc", "x64", "x64"),
    windows("i686-pc-windows-msvc", "x86", "x86"),
    windows("aarch64-pc-windows-msvc", "aarch64", "arm64"),
    Target { is_loadable: false, ..elf("wasm32-unknown-unknown", Platform::Wasm, "wasm32", "") },
];

/// What the program is built for: systems with threads and a C library. On Linux that is linked into it, so that it runs
/// with any, and with none.
pub(crate) const PROGRAMS: &[Target] = &[
    program("x86_64-unknown-linux-musl", Platform::Linux, "x64", ""),
    program("aarch64-unknown-linux-musl", Platform::Linux, "aarch64", ""),
    program("armv7-unknown-linux-musleabihf", Platform::Linux, "armv7", ""),
    program("riscv64gc-unknown-linux-musl", Platform::Linux, "riscv64gc", ""),
    program("aarch64-apple-darwin", Platform::MacOs, "aarch64", "11.0"),
    program("x86_64-apple-darwin", Platform::MacOs, "x64", "10.12"),
    program("x86_64-pc-windows-gnu", Platform::Windows, "x64", ""),
];

const fn program(
    triple: &'static str,
    platform: Platform,
    architecture: &'static str,
    minimum: &'static str,
) -> Target {
    Target { minimum, is_loadable: false, ..elf(triple, platform, architecture, "") }
}
