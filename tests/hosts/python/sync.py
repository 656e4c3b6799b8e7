"""The smallest Python program that syncs: `python3 sync.py PATH_TO_LIBRARY` (needs `pip install apsw`).

It plays both sides: an SDK that drives the extension through SQL, and a service whose lines are written out below.
"""

import json
import sys


def open_database(library):
    import apsw

    database = apsw.Connection(":memory:")
    database.enable_load_extension(True)
    database.load_extension(library, "sqlite3_powersync_init")
    return database


def in_transaction(database, sql, parameters):
    """Runs a statement in its own transaction; gives its only value."""
    database.execute("BEGIN")
    ((result,),) = database.execute(sql, parameters).fetchall()
    database.execute("COMMIT")
    return result


def control(database, operation, payload=None):
    """One call of the sync client; gives the instructions."""
    return json.loads(in_transaction(database, "SELECT powersync_control(?, ?)", (operation, payload)))


def put(op_id, row_id, name, checksum):
    data = json.dumps({"id": row_id, "name": name})
    return {"op_id": str(op_id), "op": "PUT", "object_type": "lists", "object_id": row_id, "data": data, "checksum": checksum}


def lines():
    """What the service sends: a checkpoint over one bucket, its data, and the end."""
    bucket = {"bucket": "lists[]", "checksum": 30, "count": 2, "priority": 3}
    yield {"checkpoint": {"last_op_id": "2", "buckets": [bucket]}}
    yield {"data": {"bucket": "lists[]", "data": [put(1, "l1", "Groceries", 10), put(2, "l2", "Work", 20)]}}
    yield {"checkpoint_complete": {"last_op_id": "2"}}


def check(database):
    """Syncs and writes in an open database that has the extension; sqlite3 and apsw can be driven the same way."""
    schema = {"tables": [{"name": "lists", "columns": [{"name": "name", "type": "text"}]}]}
    in_transaction(database, "SELECT powersync_replace_schema(?)", (json.dumps(schema),))

    instructions = control(database, "start")
    assert any("EstablishSyncStream" in instruction for instruction in instructions), instructions
    for line in lines():
        instructions = control(database, "line_text", json.dumps(line))
    assert any("DidCompleteSync" in instruction for instruction in instructions), instructions
    synced = database.execute("SELECT id, name FROM lists ORDER BY id").fetchall()
    assert synced == [("l1", "Groceries"), ("l2", "Work")], synced

    database.execute("UPDATE lists SET name = 'Shopping' WHERE id = 'l1'")
    queue = [json.loads(entry) for (entry,) in database.execute("SELECT data FROM ps_crud")]
    assert queue == [{"op": "PATCH", "id": "l1", "type": "lists", "data": {"name": "Shopping"}}], queue
    print(f"synced {synced}, then queued {queue}")


if __name__ == "__main__":
    check(open_database(sys.argv[1]))
