"""Whether a host that came out of a reply may be given to a proxy.

A proxy, of HTTP or of SOCKS, looks names up in its own network and connects there: behind a company's proxy a reply could
name any server of the company. So the name is looked up here first, and refused when any answer is not public. Where
names can't be looked up here, only those pass that look like a public name and lead to no address by themselves. A name
that is public here and private for the proxy can't be told from outside. Called by `transport`.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
import time

from ..errors.messages import msg
from . import url_policy
from .connections import PrivateAddress

KNOWN_SECONDS = 60.0
UNKNOWN_SECONDS = 600.0
"""A network without names fails slowly: it is not asked again soon."""
_MOST_KEPT = 500

_EMBEDDING = (
    *("nip.io", "sslip.io", "xip.io", "traefik.me", "localtest.me", "lvh.me", "vcap.me", "lacolhost.com"),
    *("1u.ms", "rbndr.us", "local-ip.co", "local-ip.sh", "localho.st", "ip6.name", "ipq.co", "backname.io"),
)
"""Public names that lead to whatever address they have in them, or to this machine."""
_METADATA = ("metadata.tencentyun.com", "metadata.platformequinix.com", "metadata.packet.net")
_PUBLIC_ENDS = frozenset(
    "com net org info biz name pro io ai app dev cloud page pages site online store tech xyz top vip club run live media "
    "image images photos pics art design studio digital group world global network services systems solutions software "
    "tools zone space website host link click one plus show video agency email edu gov int mil mobi asia cat eu".split()
)
"""Beside those of two letters: the ends of names that are taken for public where nothing can be looked up."""
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?")
_ADDRESS_IN_NAME = re.compile(r"(?<![0-9a-z])(\d{1,3})[.-](\d{1,3})[.-](\d{1,3})[.-](\d{1,3})(?![0-9a-z])")

_lock = threading.Lock()
_kept: dict[str, tuple[float, tuple[str, ...]]] = {}


def check_for_proxy(host: str) -> None:
    """Raises PrivateAddress where `host` must not be given to a proxy. `host` is one that `url_policy.is_public_host_name`."""
    if _is_address(host):
        return
    found = _look_up(host)
    if found and not all(url_policy.is_public(address) for address in found):
        raise PrivateAddress(msg("proxy_policy.result_address_is_private"))
    if not found and not looks_public(host):
        raise PrivateAddress(msg("proxy_policy.result_address_not_resolved"))


def looks_public(host: str) -> bool:
    """Whether a name that can't be looked up here has the form of a public one, and names no address by itself."""
    host = host.lower().rstrip(".")
    labels = host.split(".")
    last = labels[-1]
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        return False
    public = last in _PUBLIC_ENDS or last.startswith("xn--") or (len(last) == 2 and last.isalpha())
    if not public or not url_policy.is_public_host_name(host):
        return False
    if f".{host}".endswith(tuple(f".{name}" for name in (*_EMBEDDING, *_METADATA))):
        return False
    return not any(_is_private(".".join(found.groups())) for found in _ADDRESS_IN_NAME.finditer(host))


def _is_private(quad: str) -> bool:
    return _is_address(quad) and not url_policy.is_public(quad)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _look_up(host: str) -> tuple[str, ...]:
    """The addresses of a name as this machine knows them; none where it can't tell."""
    now = time.monotonic()
    with _lock:
        until, found = _kept.get(host, (0.0, ()))
    if now < until:
        return found
    try:
        found = tuple({str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})
    except (OSError, UnicodeError):
        found = ()
    with _lock:
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        _kept[host] = time.monotonic() + (KNOWN_SECONDS if found else UNKNOWN_SECONDS), found
    return found
