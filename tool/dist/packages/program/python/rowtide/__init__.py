"""Rowtide, a sync service for SQLite files in apps: its program, and `dev` for tests.

>>> from rowtide import dev
>>> with dev() as server:
...     print(server.url, server.token("alice"))
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import urllib.parse
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Iterable, Mapping, Optional, Union

__all__ = ["DevServer", "RowtideError", "dev", "program_path"]

_Path = Union[str, "os.PathLike[str]"]

_PATIENCE = 10.0
"""How long a service that was told to stop may take before it is killed, in seconds."""


class RowtideError(RuntimeError):
    """The program could not be started, has ended, or has refused what was asked of it."""

    exit_code: Optional[int]
    """The exit code of a program that has ended: 2 if a file or an option has a mistake."""

    stderr: str
    """What the program has said to standard error before it was ready."""

    def __init__(self, message: str, exit_code: Optional[int] = None, stderr: str = "") -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.stderr = stderr


def program_path() -> str:
    """Absolute path of the program for this platform. The environment variable `ROWTIDE_BINARY` names another one.

    Raises FileNotFoundError if it is missing, as when the package was not installed from a wheel.
    """
    named = os.environ.get("ROWTIDE_BINARY")
    path = Path(named) if named else Path(__file__).resolve().parent / _FILE
    if not path.is_file():
        where = "ROWTIDE_BINARY names" if named else "nothing is published for this platform: there is no"
        raise FileNotFoundError(f"rowtide: {where} {path}")
    return str(path)


_FILE = "rowtide.exe" if sys.platform == "win32" else "rowtide"


class DevServer:
    """A development service that runs. It stops with this process, whatever ends that."""

    url: str
    """Where it is reached, as `http://127.0.0.1:8080`."""

    tokens: Mapping[str, str]
    """A token for each named user, valid for a day."""

    source: Optional[str]
    """The SQLite file whose rows are synced, which may be written to; None if the source is another one."""

    folder: str
    """The folder with all its files, which is removed at the end."""

    def __init__(self, process: subprocess.Popen[str], line: str) -> None:
        ready = json.loads(line)
        self.url, self.tokens = ready["url"], ready["tokens"]
        self.source, self.folder = ready["source"], ready["folder"]
        self._process = process

    def token(self, user: str) -> str:
        """A new token for any user, valid for a day.

        Raises RowtideError if the service has stopped.
        """
        return self._request("GET", "/dev/token?user=" + urllib.parse.quote(user, safe=""))

    def schema(self) -> dict[str, Any]:
        """The schema of clients as the configuration and the source have it, as `powersync_replace_schema` takes it.

        Raises RowtideError if the source cannot be read, or the service has stopped.
        """
        schema: dict[str, Any] = json.loads(self._request("GET", "/dev/schema"))
        return schema

    def reset(self) -> None:
        """Gives the source the rows of its seed again. Clients see that as ordinary changes.

        Raises RowtideError if there is no seed, or the service has stopped.
        """
        self._request("POST", "/dev/reset")

    def stop(self) -> None:
        """Stops it, and waits until it has ended. Nothing is left behind. Stopping it twice does no harm."""
        process = self._process
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def __enter__(self) -> DevServer:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.stop()

    def _request(self, method: str, path: str) -> str:
        # Not by urllib, which would send it to a proxy if the environment names one.
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.url).netloc, timeout=60)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            body = response.read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise RowtideError(f"rowtide dev: nobody answers at {self.url}: was it stopped? ({error})") from error
        finally:
            connection.close()
        if response.status != 200:
            raise RowtideError(f"rowtide dev: {path} failed with {response.status}: {_description(body)}")
        return body


def dev(
    config: Optional[_Path] = None,
    *,
    seed: Optional[_Path] = None,
    writes: Optional[_Path] = None,
    source: Optional[str] = None,
    users: Iterable[str] = (),
    port: int = 0,
    deterministic: bool = False,
    cwd: Optional[_Path] = None,
) -> DevServer:
    """Starts a development service, and returns when clients can sync. Use it as a context manager, or call `stop`.

    Without anything it is that of a small todo app, with the users alice and bob. What it says to standard error then
    goes to that of this process: mistakes in files that have changed, for instance.

    - `config`: the sync configuration, a file
    - `seed`: an SQL script that the source begins with, and goes back to with `reset`; a file
    - `writes`: write rules, a file; without them clients of a configuration cannot write
    - `source`: the database whose rows are synced, `sqlite:PATH` or `json:DIR`; without it an SQLite file that is
      removed at the end
    - `users`: users whose tokens are in `tokens`
    - `port`: the port on the loopback address; without it a free one
    - `deterministic`: names buckets the same each time, and signs tokens with the same secret
    - `cwd`: the folder that relative paths begin at; without it that of this process

    Raises RowtideError with what the program says about it, if it does not start; FileNotFoundError if there is no
    program for this platform.
    """
    command = [program_path(), "dev", "--port", str(port), "--json", "--ephemeral", "--stop-with-stdin"]
    for name, value in (("seed", seed), ("writes", writes), ("source", source)):
        if value is not None:
            command.append(f"--{name}={os.fspath(value)}")
    command += [f"--user={user}" for user in users]
    if deterministic:
        command.append("--deterministic")
    if config is not None:
        command += ["--", os.fspath(config)]
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(command, cwd=cwd, stdin=pipe, stdout=pipe, stderr=pipe, text=True, encoding="utf-8")
    except OSError as error:
        raise RowtideError(f"rowtide dev: cannot be started: {error}") from error
    assert process.stdout is not None and process.stderr is not None
    errors = _Errors(process.stderr)
    line = process.stdout.readline()
    if not line:
        code = process.wait()
        process.stdout.close()
        stderr = errors.text()
        raise RowtideError(f"rowtide dev: {stderr or f'ended with {code}'}", code, stderr)
    errors.pass_on()
    return DevServer(process, line)


class _Errors:
    """Keeps what the program says, until it is to be passed on to the standard error of this process."""

    def __init__(self, stream: IO[str]) -> None:
        self._lines: list[str] = []
        self._lock = threading.Lock()
        self._passes_on = False
        self._thread = threading.Thread(target=self._read, args=(stream,), name="rowtide-dev-stderr", daemon=True)
        self._thread.start()

    def text(self) -> str:
        """All that was said by a program that has ended."""
        self._thread.join()
        return "".join(self._lines).strip()

    def pass_on(self) -> None:
        with self._lock:
            self._passes_on = True
            sys.stderr.write("".join(self._lines))

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                with self._lock:
                    if self._passes_on:
                        sys.stderr.write(line)
                    else:
                        self._lines.append(line)


def _description(body: str) -> str:
    """What an answer says about what is wrong."""
    try:
        return str(json.loads(body)["error"]["description"])
    except (ValueError, LookupError, TypeError):
        return body
