/// Finds the PowerSync SQLite extension and registers it with SQLite.
library;

import 'dart:ffi';
import 'dart:io';

/// The library of the extension, opened.
final class PowerSyncExtension {
  /// The library, for bindings to SQLite that register extensions themselves.
  final DynamicLibrary library;

  PowerSyncExtension._(this.library);

  /// Name of the function that SQLite calls to load the extension into a connection.
  static const entryPointName = 'sqlite3_powersync_init';

  /// Opens the library at [path], or else the first one that is found (see the package's README).
  ///
  /// Throws an [ArgumentError] if there is none, or if it is not the extension's.
  factory PowerSyncExtension.open([String? path]) {
    final library = path == null ? _find() : DynamicLibrary.open(path);
    if (!library.providesSymbol(entryPointName)) {
      throw ArgumentError('PowerSync: ${path ?? 'the library found'} does not have $entryPointName');
    }
    return PowerSyncExtension._(library);
  }

  /// The function that SQLite calls to load the extension into a connection.
  Pointer<NativeFunction<Void Function()>> get entryPoint => library.lookup(entryPointName);

  /// Registers the extension with an SQLite: each connection that it opens from now on has it. Again does no harm.
  ///
  /// Throws a [StateError] with SQLite's result code if it refuses.
  void registerWith(DynamicLibrary sqlite) {
    final register = sqlite.lookupFunction<Int Function(Pointer<NativeFunction<Void Function()>>),
        int Function(Pointer<NativeFunction<Void Function()>>)>('sqlite3_auto_extension');
    final code = register(entryPoint);
    if (code != 0) throw StateError('PowerSync: sqlite3_auto_extension gave $code');
  }
}

/// Names of the library for this platform: as it is built, and among the artefacts of a release.
List<String> libraryNames() {
  final artefact = _artefacts[Abi.current()];
  final built = Platform.isWindows
      ? 'powersync.dll'
      : Platform.isMacOS || Platform.isIOS
          ? 'libpowersync.dylib'
          : 'libpowersync.so';
  return [built, if (artefact != null) artefact];
}

final _artefacts = {
  Abi.linuxX64: 'libpowersync_x64.linux.so',
  Abi.linuxArm64: 'libpowersync_aarch64.linux.so',
  Abi.linuxArm: 'libpowersync_armv7.linux.so',
  Abi.linuxRiscv64: 'libpowersync_riscv64gc.linux.so',
  Abi.linuxIA32: 'libpowersync_x86.linux.so',
  Abi.macosX64: 'libpowersync_x64.macos.dylib',
  Abi.macosArm64: 'libpowersync_aarch64.macos.dylib',
  Abi.windowsX64: 'powersync_x64.dll',
  Abi.windowsIA32: 'powersync_x86.dll',
  Abi.windowsArm64: 'powersync_aarch64.dll',
};

/// On Apple's systems the library is in a framework, which the app's search path leads to.
const _framework = 'powersync-sqlite-core.framework/powersync-sqlite-core';

DynamicLibrary _find() {
  final named = Platform.environment['POWERSYNC_LIBRARY'];
  if (named != null && named.isNotEmpty) return DynamicLibrary.open(named);
  final program = File(Platform.resolvedExecutable).parent.path;
  final separator = Platform.pathSeparator;
  final directories = [program, '$program${separator}lib', Directory.current.path];
  for (final directory in directories) {
    for (final name in libraryNames()) {
      final path = '$directory$separator$name';
      if (File(path).existsSync()) return DynamicLibrary.open(path);
    }
  }
  final system = [if (Platform.isMacOS || Platform.isIOS) _framework, libraryNames().first];
  for (final name in system) {
    try {
      return DynamicLibrary.open(name);
    } on ArgumentError {
      // The next one may be there.
    }
  }
  throw ArgumentError('PowerSync: none of ${libraryNames()} in $directories, nor does the system find $system');
}
