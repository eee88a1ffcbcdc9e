"""Where Redis is: what one URL says, and nothing that connects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster

Kind = Literal["single", "sentinel", "cluster"]

_SCHEMES: Final[Mapping[str, tuple[Kind, bool]]] = {
    "redis": ("single", False),
    "rediss": ("single", True),
    "unix": ("single", False),
    "redis+sentinel": ("sentinel", False),
    "rediss+sentinel": ("sentinel", True),
    "redis+cluster": ("cluster", False),
    "rediss+cluster": ("cluster", True),
}
_FORMS: Final[Mapping[Kind, str]] = {
    "single": "redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]",
    "sentinel": "redis+sentinel://[[USER]:PASSWORD@]HOST[:PORT],HOST[:PORT]/SERVICE[/DB]",
    "cluster": "redis+cluster://[[USER]:PASSWORD@]HOST[:PORT],HOST[:PORT]",
}
_PORTS: Final[Mapping[Kind, int]] = {"single": 6379, "sentinel": 26379, "cluster": 6379}

_LOGIN: Final = ("username", "password")
_TLS: Final = ("ssl_ca_certs", "ssl_ca_data", "ssl_certfile", "ssl_keyfile", "ssl_ciphers", "ssl_cert_reqs")
_SWITCHES: Final = ("ssl_check_hostname",)
_SENTINEL: Final = ("sentinel_username", "sentinel_password")

_HOST: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]]+))(?::([0-9]{1,5}))?", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,5}", re.ASCII)
_TRUTH: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class AddressError(ValueError):
    """A URL that names no Redis. The sentence says what to write, and repeats nothing: a URL may hold a password."""


@dataclass(frozen=True, repr=False)
class Address:
    """One Redis, or the several that stand for one. `str` and `repr` never show a password."""

    scheme: str
    kind: Kind
    hosts: tuple[tuple[str, int], ...] = ()
    path: str | None = None
    """Of a Unix socket; it has no hosts then."""
    service: str | None = None
    """What Sentinel calls the group of servers; none for the other kinds."""
    db: int = 0
    username: str | None = None
    password: str | None = None
    tls: bool = False
    options: Mapping[str, str | bool] = field(default_factory=dict)
    """About TLS, by redis-py's names, and Sentinel's own `sentinel_username` and `sentinel_password`."""

    @classmethod
    def parse(cls, url: str) -> Address:
        """What a URL says. Raises AddressError.

        Single servers are written as redis-py's `from_url` takes them; Sentinel and Cluster as `redis+sentinel://`
        and `redis+cluster://` with several hosts. `rediss` in place of `redis` is TLS.
        """
        parts = _split(url)
        kind, tls = _SCHEMES[parts.scheme]
        login, _, hosts = parts.netloc.rpartition("@")
        username, _, password = login.partition(":")
        said = _options(parts, kind, tls)
        path, service, db = _path(parts, kind, said.pop("db", None))
        return cls(
            scheme=parts.scheme,
            kind=kind,
            hosts=() if path else tuple(_hosts(hosts, kind)),
            path=path,
            service=service,
            db=db,
            username=unquote(username) or said.pop("username", None),
            password=unquote(password) or said.pop("password", None),
            tls=tls,
            options={name: _truth(value) if name in _SWITCHES else value for name, value in said.items()},
        )

    @property
    def shown(self) -> str:
        """The address for logs and people: without passwords and options."""
        login = (self.username or "") + (":***" if self.password else "")
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        tail = f"/{self.service}" if self.service else self.path or ""
        db = f"/{self.db}" if self.db and not self.path else ""
        return f"{self.scheme}://{login}{'@' if login else ''}{hosts}{tail}{db}"

    def __str__(self) -> str:
        return self.shown

    def __repr__(self) -> str:
        return f"Address({self.shown!r})"

    def client(self, *, connections: int, timeout_s: float) -> Redis | RedisCluster:
        """A client for commands, not connected yet; close it with `aclose`.

        It holds at most so many connections (to each server of a Cluster twice as many); a burst waits for a free one,
        for `timeout_s` at most. Each answer, and each attempt to connect, may take `timeout_s`. Nothing is ever sent
        twice: a command that failed may have been done, and only the caller knows whether that matters.
        Raises, with each command, what redis-py raises.
        """
        # Who has no Redis need not wait for its import.
        from gateway.redis.clients import client

        return client(self, connections, timeout_s)

    def listener(self, *, timeout_s: float) -> Redis | RedisCluster:
        """A client for one Pub/Sub connection, which may be silent for ever; close it with `aclose`.

        Await it before its first `pubsub()`: a Cluster's nodes have to be known. After an error take a new one, which
        finds what has moved. Connecting may take `timeout_s`. A `PubSub` of it sends a PING when it was silent for
        `timeout_s`, provided that `get_message` is called as often; whoever listens decides how long the answer may
        take.
        """
        from gateway.redis.clients import listener

        return listener(self, timeout_s)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        raise AddressError(_ENCODE) from None
    if parts.scheme not in _SCHEMES:
        raise AddressError(
            "A Redis URL begins with redis://, unix://, redis+sentinel:// or redis+cluster://; "
            "for TLS with rediss://, rediss+sentinel:// or rediss+cluster://."
        )
    # Such a character in a password ends the part of the URL that it stands in.
    if parts.fragment or "@" in parts.path + parts.query:
        raise AddressError(_ENCODE)
    return parts


_ENCODE: Final = (
    "A Redis URL writes : / ? # [ ] @ % in a name, a password or a path as %3A %2F %3F %23 %5B %5D %40 %25 "
    "(a socket's path keeps its slashes)."
)


def _hosts(written: str, kind: Kind) -> list[tuple[str, int]]:
    matches = [_HOST.fullmatch(host) for host in written.split(",")]
    found = [(match[1] or match[2], int(match[3] or _PORTS[kind])) for match in matches if match]
    if len(found) < len(matches) or not all(0 < port < 65536 for _, port in found):
        raise AddressError(f"A Redis URL of this kind reads {_FORMS[kind]}.")
    if kind == "single" and len(found) > 1:
        raise AddressError("redis:// names one server; several are redis+sentinel:// or redis+cluster://.")
    return found


def _path(parts: SplitResult, kind: Kind, db: str | None) -> tuple[str | None, str | None, int]:
    """Of a Unix socket the path; the service; the number of the database."""
    if parts.scheme == "unix":
        if len(parts.path) < 2 or parts.netloc.rpartition("@")[2]:
            raise AddressError("A Redis URL of a Unix socket reads unix:///PATH[?db=DB], with three slashes.")
        return unquote(parts.path), None, _database(db or "0", kind)
    words = [unquote(word) for word in parts.path.strip("/").split("/") if word]
    service = words.pop(0) if kind == "sentinel" and words else None
    if len(words) > 1 or (kind == "sentinel" and (not service or service.isdigit())):
        raise AddressError(f"A Redis URL of this kind reads {_FORMS[kind]}.")
    return None, service, _database(db or (words[0] if words else "0"), kind)


def _database(written: str, kind: Kind) -> int:
    if not _NUMBER.fullmatch(written):
        raise AddressError(f"The database of a Redis URL is a number, as in {_FORMS[kind]}.")
    if kind == "cluster" and int(written):
        raise AddressError("A Redis Cluster has database 0 alone: leave the number out.")
    return int(written)


def _options(parts: SplitResult, kind: Kind, tls: bool) -> dict[str, str]:
    known = [
        *_LOGIN,
        *(["db"] if kind != "cluster" else []),
        *([*_TLS, *_SWITCHES] if tls else []),
        *(_SENTINEL if kind == "sentinel" else []),
    ]
    said = dict(parse_qsl(parts.query, keep_blank_values=True))
    if not said.keys() <= set(known):
        more = "" if tls else " Options about TLS go with rediss."
        raise AddressError(f"After the ? of this Redis URL may stand {', '.join(known)}.{more}")
    if said.get("ssl_cert_reqs", "required") not in ("required", "optional", "none"):
        raise AddressError("ssl_cert_reqs of a Redis URL is required, optional or none.")
    return said


def _truth(written: str) -> bool:
    if written.lower() not in _TRUTH:
        raise AddressError("ssl_check_hostname of a Redis URL is true or false.")
    return _TRUTH[written.lower()]
