"""The PowerSync SQLite extension.

>>> import apsw, powersync_sqlite_core
>>> db = apsw.Connection("app.db")
>>> powersync_sqlite_core.load(db)
"""

from pathlib import Path
from typing import Protocol

__all__ = ["ENTRY_POINT", "ExtensionHost", "load", "loadable_path"]

ENTRY_POINT = "sqlite3_powersync_init"
"""Name of the library's entry point, for what loads extensions by library and entry point."""

# Each wheel has one of them, under the name from which SQLite derives that of the entry point.
_FILES = ("libpowersync.so", "libpowersync.dylib", "powersync.dll")


_CANNOT_LOAD = (
    "powersync_sqlite_core: this connection cannot load extensions, because its Python was built without that. Either "
    "install apsw, which always can, and call powersync_sqlite_core.load(apsw.Connection(path)), or use a Python "
    "whose sqlite3.Connection has enable_load_extension, such as those of Homebrew and Debian."
)


class ExtensionHost(Protocol):
    """What `load` needs of a connection; `sqlite3.Connection` and `apsw.Connection` have it."""

    def enable_load_extension(self, enable: bool, /) -> None: ...

    def load_extension(self, path: str, /) -> None: ...


def loadable_path() -> str:
    """Absolute path of the library for this platform.

    Raises FileNotFoundError if it is missing, as when the package was not installed from a wheel.
    """
    directory = Path(__file__).resolve().parent
    for name in _FILES:
        if (directory / name).is_file():
            return str(directory / name)
    raise FileNotFoundError(f"powersync_sqlite_core: no library in {directory}")


def load(connection: ExtensionHost) -> None:
    """Loads the extension into an open connection of `sqlite3` or apsw.

    Loading of extensions is allowed while it lasts, and forbidden afterwards.

    Raises RuntimeError, which says what to do, if the connection cannot load extensions.
    """
    if not hasattr(connection, "enable_load_extension"):
        raise RuntimeError(_CANNOT_LOAD)
    path = loadable_path()
    connection.enable_load_extension(True)
    try:
        connection.load_extension(path)
    finally:
        connection.enable_load_extension(False)
