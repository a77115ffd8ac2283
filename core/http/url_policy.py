"""Which addresses the pack will talk to.

Base URLs come from the user's own environment or settings, never from a graph. Addresses in a provider's reply may point
anywhere on the public internet, or at the provider's own origin; never into the user's network.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Sequence
from urllib.parse import urlsplit

from ..errors import ConfigError
from ..errors.messages import msg
from .pasted_url import prefix_of, without_name

TRANSLATED = tuple(
    ipaddress.ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96", "::ffff:0:0:0/96")
)
"""IPv6 addresses that a network's own gateway (NAT64), or an old way of writing, leads to the IPv4 address at their end."""
CLOUD_HOSTS = tuple(
    ipaddress.ip_network(text) for text in ("168.63.129.16/32", "161.26.0.0/16", "166.8.0.0/14", "192.0.0.0/24")
)
"""Public by their number, and answered by the network of a cloud to its own machines only: Azure's host (Microsoft Learn,
"What is IP address 168.63.129.16?"), IBM Cloud's service endpoints (IBM Cloud docs, "About service endpoints"), and the
protocol assignments of RFC 6890, which older releases of Python take for public; a cloud's metadata is at 192.0.0.192."""
SPECIAL_NAMES = (
    *(
        "localhost",
        "local",
        "localdomain",
        "internal",
        "intranet",
        "private",
        "corp",
        "home",
        "lan",
        "home.arpa",
        "arpa",
    ),
    *("test", "invalid", "onion", "svc", "cluster", "consul", "docker"),
)
"""Ends of names that no public resolver knows (RFC 6761, RFC 8375, RFC 9476; ICANN keeps corp, home and internal back)."""
_HOST = re.compile(r"[\w-]+(\.[\w-]+)*|[0-9a-f.]*:[0-9a-f:.]*(%[\w.-]+)?")
"""A name, an IPv4 address, or an IPv6 address with a zone; in no name is a semicolon, a percent sign or an empty label."""
FAKE_IP = ipaddress.ip_network("198.18.0.0/15")
"""What resolvers of TUN proxies answer for every name; real traffic never uses it."""


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of an address. Raises ValueError for one that has none."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower().rstrip(".")
    # Readers of addresses differ about where a host ends at a backslash: one would see another host than the other.
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host) or "\\" in parts.netloc:
        raise ValueError("not an http(s) address")
    return parts.scheme, host, parts.port or (443 if parts.scheme == "https" else 80)


def is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_public(address: str) -> bool:
    """Whether an IP address, as a socket reports it, is on the public internet (or a TUN proxy's stand-in for it)."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    ip = mapped or ip
    if ip.version == 4 and ip in FAKE_IP:
        return True
    inner = _translated(ip) if isinstance(ip, ipaddress.IPv6Address) else ip
    if any(inner in network for network in CLOUD_HOSTS):
        return False
    return inner.is_global and not inner.is_multicast and not getattr(inner, "is_site_local", False)


def is_public_host_name(host: str) -> bool:
    """Whether a host out of a reply may be looked up at all: no literal private address, no local name."""
    # What a resolver makes of other digits, letters and dots.
    host = unicodedata.normalize("NFKC", host).replace("\u3002", ".").lower().rstrip(".")
    try:
        ip = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        local = f".{host}".endswith(tuple(f".{name}" for name in SPECIAL_NAMES))
        return not local and "." in host and not _is_number(host)
    return is_public(str(ip)) and ip not in FAKE_IP if ip.version == 4 else is_public(str(ip))


def checked_base_url(text: str, where: str, *, plain_http: bool = False, known_paths: Sequence[str] = ()) -> str:
    """A base URL as it is used: no spaces, no trailing slash, no trailing /v1 or /v1beta, no pasted endpoint.

    `where` names the place it comes from, for the message. https, or http on loopback (`plain_http`: anywhere). `known_paths`
    are the paths of the provider's own requests: a pasted address may end in one of them. Raises ConfigError.
    """
    url = without_name(text).strip().strip("'\"")
    try:
        if any(c.isspace() or not c.isprintable() for c in url):
            raise ValueError("an address has no spaces")
        parts = urlsplit(url)
        scheme, host, _ = origin(url)
    except ValueError:
        raise ConfigError(
            msg("url_policy.not_a_web_address", where=where),
            cure=msg("url_policy.address_example"),
        ) from None
    if parts.username or parts.password:
        raise ConfigError(
            msg("url_policy.address_has_user_name", where=where),
            cure=msg("url_policy.remove_user_name"),
        )
    if scheme == "http" and not is_loopback(host) and not plain_http:
        raise ConfigError(
            msg("url_policy.address_is_plain_http", where=where),
            cure=msg("url_policy.use_https"),
        )
    path = prefix_of(parts.path, known_paths)
    host = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port else ""
    checked = f"{scheme}://{host}{port}{path}"
    # What comes before a query may end in a part that is removed from pasted addresses: repeat until nothing changes.
    return (
        checked if checked == text else checked_base_url(checked, where, plain_http=plain_http, known_paths=known_paths)
    )


def _translated(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Where an IPv6 address really leads: through a NAT64 gateway, or an older tunnel, to the IPv4 address inside it."""
    if ip.sixtofour is not None:
        return ip.sixtofour
    if not any(ip in network for network in TRANSLATED):
        return ip
    last = int(ip) & 0xFFFFFFFF
    # A local prefix may put the address elsewhere and zeros at the end: where that can't be told, treat it as not public.
    return ipaddress.IPv4Address(last if last & 0xFFFFFF else 0)


def _is_number(host: str) -> bool:
    """2130706433 and 0x7f.1 are addresses to some resolvers."""
    return all(part.isdigit() or part.startswith("0x") for part in host.split("."))
