"""A todo app that works offline, without an SDK: the standard library, and apsw for SQLite (`pip install apsw`).

usage: python3 todo.py list | add LIST TEXT | done TODO | sync | watch

`list`, `add` and `done` use the database alone. `sync` and `watch` are the loop of docs/write-an-sdk.md. To keep it short,
only one of them may run at a time for a file, a stream that is to be closed is left at its next line, and errors of the
database end the program.
"""

import json, os, random, sys, threading, time
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import apsw

LIBRARY = os.environ.get("POWERSYNC_LIBRARY", "target/release/libpowersync")
URL = os.environ.get("TODO_URL", "http://127.0.0.1:8080")
USER = os.environ.get("TODO_USER", "alice")
FILE = os.environ.get("TODO_FILE", "todo.db")
# Always the same text: so the extension sees at once that nothing has changed.
SCHEMA = """{"tables": [
  {"name": "lists", "columns": [{"name": "name", "type": "text"}]},
  {"name": "todos", "columns": [{"name": "list_id", "type": "text"}, {"name": "description", "type": "text"},
    {"name": "done", "type": "integer"}, {"name": "created_at", "type": "text"}]}]}"""
ADD = """INSERT INTO todos (id, list_id, description, done, created_at)
  VALUES (uuid(), ?, ?, 0, strftime('%Y-%m-%d %H:%M:%f', 'now'))"""
SHOW = """SELECT line FROM (
  SELECT 1 AS part, name, id AS list, '' AS at, name || ' (' || id || ')' AS line FROM lists UNION ALL
  SELECT 1, name, list_id, created_at, '  [' || iif(done, 'x', ' ') || '] ' || description || ' (' || todos.id || ')'
    FROM todos JOIN lists ON lists.id = list_id UNION ALL
  SELECT 2, '', '', '', 'waiting to be uploaded: ' || n FROM (SELECT count(*) AS n FROM ps_crud) WHERE n > 0)
  ORDER BY part, name, list, at"""
UNKNOWN = 9223372036854775807  # the write checkpoint to wait for, as long as the service has not named one
NETWORK_ERRORS = (OSError, HTTPException)


class Database:
    def __init__(self):
        self.lock = threading.RLock()  # calls of the extension must not overlap
        self.connection = apsw.Connection(FILE)
        self.connection.set_busy_timeout(30_000)
        self.connection.enable_load_extension(True)
        self.connection.load_extension(LIBRARY, "sqlite3_powersync_init")
        self.connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
        self.transaction("SELECT powersync_replace_schema(?)", SCHEMA)

    def query(self, sql, *values):
        """The first column of all rows."""
        with self.lock:
            return [row[0] for row in self.connection.execute(sql, values)]

    def transaction(self, sql, *values):
        with self.lock:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                result = self.query(sql, *values)
                self.connection.execute("COMMIT")
            except apsw.Error:
                self.connection.execute("ROLLBACK")
                raise
            return result[0] if result else None


class Client:
    def __init__(self, database, is_watching):
        self.database, self.is_watching = database, is_watching
        self.token, self.shown, self.is_open, self.has_synced, self.delay = None, "", False, False, 0.5
        self.uploading, self.wake_uploads = threading.Lock(), threading.Event()

    def run(self):
        """Connects again and again; if nobody is watching, until everything has synced or there is no connection."""
        threading.Thread(target=self.upload_changes, daemon=True).start()
        while self.is_watching or not self.has_synced:
            try:
                self.connect()
            except NETWORK_ERRORS as error:
                print("offline:", error, file=sys.stderr)
                self.control("connection", "end")
            if not self.hide_disconnect:
                if not self.is_watching:
                    break
                # A part is random, so that not all clients of a service that was away return at the same moment.
                time.sleep(self.delay * random.uniform(0.75, 1))
                self.delay = min(2 * self.delay, 30)

    def connect(self):
        """One iteration, until the extension closes it or the network fails."""
        self.control("start", "{}")
        self.upload()
        # There is a keep-alive every 20 seconds. After 60 seconds of silence the connection is dead.
        with self.request("/sync/stream", self.stream_request, timeout=60) as stream:
            self.control("connection", "established")
            for line in stream:
                if line.endswith(b"\n"):  # or else the connection was cut within the line
                    self.control("line_text", line.decode())
                if self.token is None and self.is_open:
                    self.get_token()
                    self.control("refreshed_token")
                if self.has_synced and not self.is_watching:
                    self.control("stop")
                if not self.is_open:
                    return
        self.control("connection", "end")

    def control(self, command, payload=None):
        """Tells the extension of an event, and carries out its instructions: after the COMMIT, in their order."""
        with self.database.lock:
            if self.is_open or command == "start":  # an upload can end after the iteration
                sql = "SELECT powersync_control(?, ?)"
                for instruction in json.loads(self.database.transaction(sql, command, payload)):
                    self.execute(instruction)

    def execute(self, instruction):
        match instruction:
            case {"LogLine": {"severity": "WARNING", "line": line}}:
                print(line, file=sys.stderr)
            case {"EstablishSyncStream": {"request": request}}:
                self.stream_request, self.is_open = request, True
            case {"FetchCredentials": _}:
                self.token = None  # if it is still valid for some seconds, `connect` gets a new one meanwhile
            case {"CheckpointDelayedDueToLocalData": _}:
                self.wake_uploads.set()
            case {"DidCompleteSync": _}:
                # This does not come as long as local writes are not acknowledged. So they are synced, too.
                self.has_synced, self.delay = True, 0.5
                self.show()
            case {"CloseSyncStream": {"hide_disconnect": hide_disconnect}}:
                self.is_open, self.hide_disconnect = False, hide_disconnect

    def upload_changes(self):
        """Uploads what this and other processes write, on a thread of its own."""
        while True:
            self.wake_uploads.wait(timeout=1)
            self.wake_uploads.clear()
            self.show()
            if self.is_open and self.database.query("SELECT 1 FROM ps_crud LIMIT 1"):
                try:
                    self.upload()
                except NETWORK_ERRORS as error:
                    print("not uploaded yet:", error, file=sys.stderr)

    def upload(self):
        """Sends the queue, oldest transaction first, and then asks which write checkpoint acknowledges it."""
        with self.uploading:
            while batch := json.loads(*self.database.query("SELECT powersync_crud_next(50, 1000000)"))["transactions"]:
                self.apply_results(batch, json.load(self.request("/api/data", {"transactions": batch}))["results"])
            target = self.database.transaction("SELECT powersync_control('target_checkpoint_request_id', NULL)")
            if target == UNKNOWN:
                (last_entry,) = self.database.query("SELECT seq FROM sqlite_sequence WHERE name = 'ps_crud'")
                (client_id,) = self.database.query("SELECT powersync_client_id()")
                answer = json.load(self.request(f"/write-checkpoint2.json?client_id={client_id}"))
                # This stores nothing if there are new entries, since the checkpoint may not cover them.
                sql = "SELECT powersync_crud_complete(?, ?)"
                self.database.transaction(sql, last_entry, answer["data"]["write_checkpoint"])
        self.control("completed_upload")

    def apply_results(self, batch, results):
        ids = {"transaction_ids": [transaction["transaction_id"] for transaction in batch]}
        sql = "SELECT powersync_crud_results(?, ?)"
        done = json.loads(self.database.transaction(sql, json.dumps(results), json.dumps(ids)))
        for transaction in done["rejected"]:
            # The next checkpoint undoes what the service refuses for good. An app can also let its user correct it.
            sql = "SELECT op || ' ' || type || ': ' || message FROM powersync_rejected WHERE transaction_id = ?"
            print("refused:", *self.database.query(sql, transaction), flush=True)
            self.database.transaction("SELECT powersync_crud_discard(?)", transaction)
        if not done["completed"] and not done["rejected"]:
            raise OSError("the service cannot take the changes now")

    def request(self, path, body=None, timeout=10):
        headers = {"Authorization": f"Token {self.get_token()}", "Content-Type": "application/json"}
        try:
            return urlopen(Request(URL + path, body and json.dumps(body).encode(), headers), timeout=timeout)
        except HTTPError as error:
            if error.code == 401:
                self.token = None  # the next request gets a new one
            raise

    def get_token(self):
        if self.token is None:
            self.token = urlopen(f"{URL}/dev/token?user={quote(USER)}", timeout=10).read().decode()
        return self.token

    def show(self):
        with self.database.lock:
            lines = "\n".join(self.database.query(SHOW))
            if self.is_watching and lines != self.shown:
                self.shown = lines
                print(lines, end="\n\n", flush=True)


def main(arguments):
    database, is_fine = Database(), True
    match arguments:
        case ["list"]:
            pass
        case ["add", list_id, description]:
            database.transaction(ADD, list_id, description)
        case ["done", todo]:
            database.transaction("UPDATE todos SET done = 1 WHERE id = ?", todo)
        case ["sync" | "watch" as command]:
            client = Client(database, command == "watch")
            client.run()
            is_fine = client.has_synced
        case _:
            print(__doc__.splitlines()[2], file=sys.stderr)
            sys.exit(2)
    print("\n".join(database.query(SHOW)))
    sys.exit(not is_fine)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        pass  # this ends `watch`
