"""Uses the installed wheel with the program: `python program.py`."""

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

import rowtide
from rowtide import RowtideError, dev


def connect(server):
    return http.client.HTTPConnection(urllib.parse.urlsplit(server.url).netloc)


def upload(server, user, operation):
    connection = connect(server)
    headers = {"Authorization": f"Bearer {server.token(user)}", "Content-Type": "application/json"}
    connection.request("POST", "/api/data", json.dumps({"transactions": [{"crud": [operation]}]}), headers)
    [result] = json.loads(connection.getresponse().read())["results"]
    return result["status"]


def operations(server, token):
    """The operations of a token's streams, as `PUT list-trip`, as they come."""
    connection = connect(server)
    headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
    connection.request("POST", "/sync/stream", '{"raw_data":true}', headers)
    response = connection.getresponse()
    assert response.status == 200, response.status
    for line in response:
        for operation in json.loads(line).get("data", {}).get("data", []):
            yield f"{operation['op']} {operation['object_id']}"


def until(stream, wanted):
    for operation in stream:
        if operation == wanted:
            return
    raise AssertionError(f"the stream ended without {wanted}")


def fails(call, *parts):
    try:
        call()
    except RowtideError as error:
        for part in parts:
            assert part in str(error), (part, error)
        return error
    raise AssertionError(f"it did not fail with {parts}")


def two_users():
    with dev(users=["alice", "bob", "carol"]) as server:
        assert list(server.tokens) == ["alice", "bob", "carol"], server.tokens
        alice, bob = operations(server, server.tokens["alice"]), operations(server, server.token("bob"))
        until(alice, "PUT list-trip")
        until(bob, "PUT list-garden")
        new = {"table": "lists", "id": "new"}
        assert upload(server, "alice", {**new, "op": "PUT", "op_data": {"name": "New"}}) == "success"
        until(alice, "PUT new")
        assert upload(server, "bob", {**new, "op": "DELETE"}) == "fatal_error"
        assert Path(server.source).exists()
        assert sorted(table["name"] for table in server.schema()["tables"]) == ["lists", "todos"]
        server.reset()
        until(alice, "REMOVE new")
    assert list(bob) is not None, "its streams end"
    stopped(server)
    server.stop()


def stopped(server):
    fails(lambda: server.token("alice"), "was it stopped?")
    fails(server.reset, "was it stopped?")
    assert not Path(server.folder).exists(), "its folder is removed"


def ones_own(folder):
    config = folder / "sync.yaml"
    config.write_text("config: {edition: 3}\nstreams: {notes: {auto_subscribe: true, query: SELECT * FROM notes}}\n")
    (folder / "seed.sql").write_text("CREATE TABLE notes (id TEXT PRIMARY KEY NOT NULL); INSERT INTO notes VALUES ('n1');")
    server = dev(config, seed="seed.sql", cwd=folder, deterministic=True)
    until(operations(server, server.token("anybody")), "PUT n1")
    server.stop()
    stopped(server)
    with dev(config) as server:
        fails(server.reset, "failed with 400", "seed")


def what_is_wrong(folder):
    (folder / "wrong.yaml").write_text("config: {edition: 3}\nstreams: {}\nextra: 1\n")
    error = fails(lambda: dev("wrong.yaml", cwd=folder), "wrong.yaml:3:1: error[C003]")
    assert error.exit_code == 2 and error.stderr.startswith("wrong.yaml"), error.stderr
    with dev() as server:
        port = urllib.parse.urlsplit(server.url).port
        assert fails(lambda: dev(port=port), str(port)).exit_code == 1


def ends_with_its_process():
    """Whether that is killed, or has only forgotten it."""
    for end in ("os.kill(os.getpid(), 9)" if os.name == "posix" else "os._exit(1)", ""):
        script = f"import os\nfrom rowtide import dev\nserver = dev()\nprint(server.url, flush=True)\n{end}\n"
        url = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True).stdout.strip()
        # Requests succeed until it has stopped, and fail from then on. Only if it does not stop does the limit matter.
        limit = time.monotonic() + 120
        while answers(url):
            assert time.monotonic() < limit, "it goes on without the process that has started it"


def answers(url):
    try:
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc)
        connection.request("GET", "/probes/liveness")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    return True


def command():
    scripts = Path(sys.executable).parent
    run = lambda *arguments, **more: subprocess.run(arguments, capture_output=True, text=True, **more)
    version = run(rowtide.program_path(), "--version").stdout
    assert version.startswith("rowtide 0."), version
    program = str(scripts / ("rowtide.exe" if os.name == "nt" else "rowtide"))
    assert run(program, "--version").stdout == version
    assert run(sys.executable, "-m", "rowtide", "--version").stdout == version
    assert run(program, "no-such-command").returncode == 2
    missing = run(program, "--version", env={**os.environ, "ROWTIDE_BINARY": "/nothing"})
    assert missing.returncode == 1 and "ROWTIDE_BINARY names /nothing" in missing.stderr, missing.stderr


def main():
    assert rowtide.program_path().startswith(sys.prefix), rowtide.program_path()
    two_users()
    with tempfile.TemporaryDirectory() as folder:
        ones_own(Path(folder))
        what_is_wrong(Path(folder))
    ends_with_its_process()
    command()
    print("rowtide: synced, wrote, reset and stopped")


if __name__ == "__main__":
    main()
