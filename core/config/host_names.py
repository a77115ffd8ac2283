"""Which names in a Host header are this machine's own: under any other name the request may come from a web site.

A web site can let its own name point at this machine (DNS rebinding): its page then counts as this machine's page in the
browser, and only the name in the Host header differs. Names that no foreign DNS server can answer for are safe: IP addresses,
localhost, names of one label, and the endings reserved for local networks (RFC 6761, RFC 6762, RFC 8375, and ICANN's resolution
on .internal). Other names are the user's own only when the user says so.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import ConfigError
from ..errors.messages import msg
from .settings import PREFIX, Settings
from .settings_file import rewrite

VARIABLE = f"{PREFIX}HOSTS"
MOST = 50
"""Names that may be accepted in all."""
_KEY = "hosts"
_LOCAL = (".localhost", ".local", ".lan", ".internal", ".home.arpa")
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")


def name_in(host: str) -> str:
    """The name or address in a Host header, without port, in small letters; "" where there is none.

    Raises ValueError for what no browser sends.
    """
    if re.search(r"[\s/\\@?#]", host) or re.search(r"\](?!:\d*\Z|\Z)", host):
        raise ValueError("not a host")
    parts = urlsplit(f"//{host.lower()}")
    name = (parts.hostname or "").rstrip(".")
    if host and (not name or (parts.port is not None and not 0 < parts.port < 65536)):
        raise ValueError("not a host")
    if not _is_address(name) and name and not _NAME.fullmatch(name):
        raise ValueError("not a host")
    return name


def is_local(name: str) -> bool:
    """Whether no foreign DNS server can have made this name point here."""
    return "." not in name or name.endswith(_LOCAL) or _is_address(name)


def is_named(name: str, text: str) -> bool:
    """Whether the user's list has this name: names with commas between them; *.example.com stands for all below it."""
    for entry in re.split(r"[;,\s]+", text.lower()):
        # Pasted from the address line of a browser.
        given = re.sub(r"^https?://", "", entry).partition("/")[0].partition(":")[0].rstrip(".")
        if given == name or (given.startswith("*.") and len(given) > 3 and name.endswith(given[1:])):
            return True
    return False


def accepted(settings: Settings) -> list[str]:
    """The names that somebody has accepted with a code."""
    stored = settings.stored.get(_KEY)
    return [each for each in stored if isinstance(each, str)] if isinstance(stored, list) else []


def is_own_host(name: str, environ: Mapping[str, str], names: Collection[str]) -> bool:
    """Whether pages under this name are this machine's own. `names`: the accepted ones."""
    return is_local(name) or is_named(name, environ.get(VARIABLE, "")) or name in names


def accept(home: Path, name: str) -> None:
    """Keeps a name. Raises ConfigError."""

    def apply(stored: dict[str, Any]) -> None:
        names = _names(stored)
        if len(names) >= MOST:
            raise ConfigError(msg("host_names.too_many_names", most=MOST), cure=msg("host_names.remove_one_first"))
        stored[_KEY] = sorted({*names, name})

    rewrite(home, apply)


def withdraw(home: Path, name: str) -> bool:
    """Removes an accepted name; False where it isn't there. Raises ConfigError."""
    found = False

    def apply(stored: dict[str, Any]) -> None:
        nonlocal found
        names = _names(stored)
        found = name in names
        stored[_KEY] = [each for each in names if each != name]

    rewrite(home, apply)
    return found


def _names(stored: Mapping[str, Any]) -> list[str]:
    names = stored.get(_KEY)
    return [each for each in names if isinstance(each, str)] if isinstance(names, list) else []


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
