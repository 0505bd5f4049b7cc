"""Where events go, as users write it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Dict, Optional, Union
from urllib.parse import parse_qsl, urlsplit

ALLOWED = (
    "http://HOST[:PORT][?token_file=FILE], https://..., kafka:HOST:PORT[,HOST:PORT...][?topic=NAME&config=FILE], console:, "
    "file:PATH, memory:NAME, noop:"
)
DEFAULT_TOPIC = "trainwatch.events"

_SERVER = re.compile(r"(\[[0-9a-fA-F:.]+]|[A-Za-z0-9._-]+):(\d{1,5})")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")


@dataclass(frozen=True)
class Noop:
    """Nowhere."""


@dataclass(frozen=True)
class Console:
    """Standard output, JSON Lines."""


@dataclass(frozen=True)
class File:
    """Appended to a file, JSON Lines."""

    path: str


@dataclass(frozen=True)
class Memory:
    """Kept in this process under a name, for tests."""

    name: str


@dataclass(frozen=True)
class Http:
    """A monitor: its URL without a slash at the end, and the file that holds its token."""

    url: str
    token_file: Optional[str] = None


@dataclass(frozen=True)
class Kafka:
    """A Kafka cluster; client holds further settings of librdkafka, e.g. security."""

    servers: str
    topic: str
    client: Dict[str, str] = field(default_factory=dict)


Location = Union[Noop, Console, File, Memory, Http, Kafka]


def parse(text: str) -> Location:
    """Reads a location; raises ValueError with what is allowed if it is none."""
    scheme, colon, rest = text.strip().partition(":")
    if not colon:
        rest = ""
    if scheme in ("http", "https"):
        return _http(text)
    if scheme == "kafka":
        return _kafka(text, rest)
    if scheme == "console":
        return Console()
    if scheme == "file":
        return File(os.path.abspath(_required(text, rest, "a path")))
    if scheme == "memory":
        return Memory(_required(text, rest, "a name"))
    if scheme == "noop":
        return Noop()
    raise _illegal(text, 'scheme "%s" is unknown' % scheme)


def is_spooled(location: Location) -> bool:
    """Whether what is sent there can wait on disk while nobody listens."""
    return isinstance(location, (Http, Kafka))


def _http(text: str) -> Http:
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError as e:
        raise _illegal(text, str(e)) from None
    if not parts.hostname or port == 0:
        raise _illegal(text, "a host is missing" if not parts.hostname else "port 0 cannot be reached")
    if parts.username or parts.password:
        raise _illegal(
            _without_password(text), "a password does not belong here: set TRAINWATCH_TOKEN or token_file=FILE"
        )
    if parts.fragment:
        raise _illegal(text, "a fragment means nothing here")
    parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
    token_file = parameters.pop("token_file", None)
    if parameters:
        raise _illegal(text, 'parameter "%s" is unknown' % next(iter(parameters)))
    return Http(text.strip().partition("?")[0].rstrip("/"), token_file)


def _kafka(text: str, rest: str) -> Kafka:
    servers, _, query = _required(text, rest, "HOST:PORT").partition("?")
    for server in servers.split(","):
        match = _SERVER.fullmatch(server)
        if not match or not 1 <= int(match.group(2)) <= 65_535:
            raise _illegal(text, '"%s" is not HOST:PORT with a port of 1 to 65535' % server)
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    topic = parameters.pop("topic", DEFAULT_TOPIC)
    config = parameters.pop("config", None)
    if parameters:
        raise _illegal(text, 'parameter "%s" is unknown' % next(iter(parameters)))
    if not _TOPIC.fullmatch(topic) or topic in (".", ".."):
        raise _illegal(text, 'topic "%s" is not 1 to 249 characters of A-Z a-z 0-9 . _ -' % topic)
    return Kafka(servers, topic, _properties(text, config) if config is not None else {})


def _properties(text: str, path: str) -> Dict[str, str]:
    client = {}
    try:
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                line = line.strip()
                if line and line[0] not in "#!":
                    name, _, value = line.partition("=")
                    client[name.strip()] = value.strip()
    except (OSError, UnicodeDecodeError) as e:
        raise _illegal(text, "cannot read config: %s" % e) from e
    return client


def _without_password(text: str) -> str:
    return re.sub(r"//[^@/]*@", "//***@", text)


def _required(text: str, value: str, what: str) -> str:
    if not value.strip():
        raise _illegal(text, what + " is missing")
    return value


def _illegal(text: str, why: str) -> ValueError:
    return ValueError('location "%s": %s; allowed are %s' % (text, why, ALLOWED))
