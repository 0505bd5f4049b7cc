"""Posts events to the intake of a monitor: one request at a time, on a thread of its own.

``POST /api/v1/events`` of ``application/vnd.trainwatch.avro``: each event behind its length (4 bytes, big endian). A
request is repeated until the monitor has answered it: 200 once the broker has all events, 400 where it refuses some
for good. 429 and 503 are waited out as ``Retry-After`` says.
"""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import os
import random
import ssl
import struct
import threading
import time
import urllib.request
from typing import Dict, List, Optional, Sequence, Set, Tuple
from urllib.parse import unquote, urlsplit

from trainwatch.command import read_command
from trainwatch.internal.events import shown
from trainwatch.internal.location import Http
from trainwatch.internal.log import log
from trainwatch.internal.transports import OnCommands

CONTENT_TYPE = "application/vnd.trainwatch.avro"
#: Events and bytes of one request; the intake takes more.
_MAX_EVENTS = 2_000
_MAX_BYTES = 1 << 20
#: Requests follow one another after this at the earliest, so that events share them. Seconds.
_PACE = 0.25
_TIMEOUT = 10.0
_MIN_PAUSE = 0.5
_MAX_PAUSE = 30.0
_MAX_ANSWER_BYTES = 1 << 20
_GZIP_FROM = 1_024
_LOOPBACK = ("localhost", "127.0.0.1", "::1")

_REMEDIES = {
    401: "it wants a token; set TRAINWATCH_TOKEN to that of the monitor",
    403: "it refuses the token; set TRAINWATCH_TOKEN to that of the monitor",
    429: "it is busy",
    503: "it is busy",
}
_NO_MONITOR = "is it a trainwatch monitor?"


class HttpTransport:
    """Its thread posts, the sender offers; they meet in a slot for one batch and two counters."""

    takes_json = False

    def __init__(self, location: Http, run_id: str, on_commands: OnCommands) -> None:
        self._url = location.url + "/api/v1/events"
        self._run_id = run_id
        self._on_commands = on_commands
        self._token = _token(location.token_file)
        self._batch: Optional[List[bytes]] = None
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._connection: Optional[http.client.HTTPConnection] = None
        self._last_post = 0.0
        self._target = ""
        self._proxy_headers: Dict[str, str] = {}
        self._said: Set[str] = set()
        self.settled = 0
        self.rejected = 0
        self._thread = threading.Thread(target=self._run, name="trainwatch-http", daemon=True)
        self._thread.start()

    def is_ready(self) -> bool:
        """Whether it pays to offer something."""
        return self._batch is None and not self._closed.is_set()

    def offer(self, events: Sequence[bytes]) -> int:
        """Takes one batch while none is on its way."""
        if not self.is_ready():
            return 0
        batch: List[bytes] = []
        size = 0
        for event in events:
            if len(batch) == _MAX_EVENTS or (batch and size + len(event) > _MAX_BYTES):
                break
            batch.append(event)
            size += len(event)
        self._batch = batch
        self._wake.set()
        return len(batch)

    def close(self) -> None:
        """Ends the thread after the request that is on its way."""
        self._closed.set()
        self._wake.set()

    def _run(self) -> None:
        while not self._closed.is_set():
            self._wake.wait()
            self._wake.clear()
            batch = self._batch
            if batch is None:
                continue
            self._pause(self._last_post + _PACE - time.monotonic())
            self._last_post = time.monotonic()
            refused = self._deliver(batch)
            if refused is not None:
                self.rejected += refused
                self.settled += len(batch)
                self._batch = None
        self._disconnect()

    def _deliver(self, batch: Sequence[bytes]) -> Optional[int]:
        """Posts until there is an answer. Returns how many events the monitor refuses for good, None if closed before."""
        body = b"".join(struct.pack(">I", len(event)) + event for event in batch)
        headers = {"Content-Type": CONTENT_TYPE, "User-Agent": "trainwatch-python"}
        if len(body) >= _GZIP_FROM:
            body = gzip.compress(body, 1)
            headers["Content-Encoding"] = "gzip"
        if self._token:
            headers["Authorization"] = "Bearer " + self._token
        pause = _MIN_PAUSE
        while not self._closed.is_set():
            retry_after = 0.0
            try:
                status, retry_after, answer = self._post(body, headers)
            except Exception as e:  # a proxy, a certificate, a name: whatever it is, it may pass
                self._disconnect()
                self._say("events do not reach %s: %s; they wait", self._url, _reason(e))
            else:
                if status in (200, 202, 400):
                    self._say_again()
                    return self._understand(len(batch), status, answer)
                if status == 413:
                    return self._deliver_in_parts(batch)
                self._say("%s answers HTTP %d: %s; events wait", self._url, status, _REMEDIES.get(status, _NO_MONITOR))
            self._pause(retry_after or pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, _MAX_PAUSE)
        return None

    def _deliver_in_parts(self, batch: Sequence[bytes]) -> Optional[int]:
        if len(batch) == 1:
            self._say("an event of %d bytes is too large for %s and is dropped", len(batch[0]), self._url)
            return 1
        half = len(batch) // 2
        first = self._deliver(batch[:half])
        second = None if first is None else self._deliver(batch[half:])
        return None if first is None or second is None else first + second

    def _post(self, body: bytes, headers: Dict[str, str]) -> Tuple[int, float, bytes]:
        for fresh in (self._connection is None, True):
            connection = self._connection
            if connection is None:
                connection, self._target, self._proxy_headers = _connect(self._url)
                self._connection = connection
            try:
                connection.request("POST", self._target, body, {**headers, **self._proxy_headers})
                response = connection.getresponse()
                answer = response.read(_MAX_ANSWER_BYTES)
                if response.read(1):
                    self._disconnect()
                return response.status, _seconds(response.getheader("Retry-After")), answer
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                self._disconnect()
                if fresh:  # else the other side has closed a connection that was idle, which is no trouble
                    raise
        raise AssertionError("unreachable")

    def _understand(self, events: int, status: int, answer: bytes) -> int:
        """Takes the commands of an answer, and returns how many events it refuses."""
        try:
            told = json.loads(answer)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            told = {}
        commands = told.get("commands")
        if isinstance(commands, list):
            read = [read_command(fields) for fields in commands[:100] if isinstance(fields, dict)]
            self._on_commands([command for command in read if command is not None and command.run_id == self._run_id])
        if status != 400:
            return 0
        self._say("the monitor refuses events for good: %s", shown(told.get("detail") or answer, 400))
        accepted = told.get("accepted")
        return max(0, events - accepted) if isinstance(accepted, int) else events

    def _pause(self, seconds: float) -> None:
        if seconds > 0:
            self._closed.wait(seconds)

    def _say(self, text: str, *values: object) -> None:
        """Logs each kind of trouble once, until everything is well again."""
        if text not in self._said:
            self._said.add(text)
            log.warning(text, *values)

    def _say_again(self) -> None:
        if self._said:
            self._said.clear()
            log.info("%s takes events again", self._url)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except OSError:
                pass


def _token(path: Optional[str]) -> str:
    """Returns the token in a file, else that of TRAINWATCH_TOKEN; empty for none."""
    token = os.environ.get("TRAINWATCH_TOKEN", "")
    if path is not None:
        try:
            with open(path, encoding="utf-8") as file:
                token = file.read()
        except (OSError, UnicodeDecodeError) as e:
            log.warning("the token in %s cannot be read: %s", path, e)
    token = token.strip()
    if not token.isprintable() or not token.isascii():
        log.warning("the token has characters that no header may have; it is not used")
        return ""
    return token


def _connect(url: str) -> Tuple[http.client.HTTPConnection, str, Dict[str, str]]:
    """Returns a connection, the target of its requests and what a proxy wants as headers."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxy = urllib.request.getproxies().get(parts.scheme)
    if not proxy or host in _LOOPBACK or urllib.request.proxy_bypass(host):
        return _connection(parts.scheme, host, parts.port), parts.path, {}
    via = urlsplit(proxy if "//" in proxy else "//" + proxy)
    connection = _connection(parts.scheme, via.hostname or "", via.port or 80)
    headers = {}
    if via.username:
        pair = "%s:%s" % (unquote(via.username), unquote(via.password or ""))
        headers["Proxy-Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    if parts.scheme == "https":
        connection.set_tunnel(host, parts.port or 443, headers)
        return connection, parts.path, {}
    return connection, url, headers


def _connection(scheme: str, host: str, port: Optional[int]) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, port, timeout=_TIMEOUT)


def _seconds(retry_after: Optional[str]) -> float:
    """Returns what a Retry-After header asks for, 0 to 60 s; 0 where it says nothing in seconds."""
    try:
        return min(60.0, max(0.0, float(retry_after or 0)))
    except ValueError:
        return 0.0


def _reason(error: Exception) -> str:
    return "%s: %s" % (type(error).__name__, error) if str(error) else type(error).__name__
