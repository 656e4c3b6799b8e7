"""Syncs and writes with the installed wheel: `python installed.py apsw|sqlite3`."""

import importlib
import sys

import powersync_sqlite_core
import sync


def open_database(module):
    if module.__name__ == "apsw":
        return module.Connection(":memory:")
    # Transactions are begun as the program says, not by the module.
    return module.connect(":memory:", isolation_level=None)


class Incapable:
    """A connection of a Python that was built without loading of extensions."""


def check_refusal():
    try:
        powersync_sqlite_core.load(Incapable())
    except RuntimeError as error:
        assert "install apsw" in str(error), error
    else:
        raise AssertionError("a connection that cannot load extensions was accepted")


def main(name):
    check_refusal()
    module = importlib.import_module(name)
    path = powersync_sqlite_core.loadable_path()
    assert path.startswith(sys.prefix), path
    database = open_database(module)
    powersync_sqlite_core.load(database)
    powersync_sqlite_core.load(database)
    try:
        database.execute("SELECT load_extension(?)", (path,)).fetchall()
    except (module.OperationalError if name == "sqlite3" else module.Error):
        pass
    else:
        raise AssertionError("extensions can still be loaded")
    sync.check(database)


if __name__ == "__main__":
    main(sys.argv[1])
