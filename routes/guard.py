"""What every request to the pack's routes goes through before anything is done.

Refused by the pack itself, for GETs too and also where the host allows other origins: requests that another web site
makes, names that a public DNS server may point at this machine, bodies that are not JSON. Work is done off the server's
loop. Errors become JSON: {"error": {"kind", "what", "cure"}}.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from .. import host
from ..core.addresses import is_loopback
from ..core.errors import NanoBananaError
from ..core.redact import redact

log = logging.getLogger("nano_banana")

MAX_BODY = 8 << 20
HOSTS_VARIABLE = "NANO_BANANA_HOSTS"


@dataclass(frozen=True)
class Ask:
    """A request that was let in."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any] = field(default_factory=dict)
    has: str = ""
    """The tag of the file that the browser has already, "" where it has none."""


@dataclass(frozen=True)
class File:
    """An answer that is not JSON."""

    data: bytes
    mime: str
    tag: str


class Wrong(Exception):
    """The request can't be done: an HTTP status and words."""

    def __init__(self, status: int, what: str, cure: str = "", kind: str = "request", retry_after: int = 0) -> None:
        super().__init__(what)
        self.status, self.what, self.cure, self.kind, self.retry_after = status, what, cure, kind, retry_after


Work = Callable[[Ask], Any]
"""Runs on a thread of its own; gives something for JSON, or a File. Raises Wrong or NanoBananaError."""


def guarded(work: Work) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The handler for a piece of work."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            refusal = refused(request.method, request.headers, _own_name(request), os.environ.get(HOSTS_VARIABLE, ""))
            if refusal:
                raise Wrong(403, refusal, kind="forbidden")
            ask = Ask(dict(request.match_info), dict(request.query), await _body(request), _tag(request))
            found = await host.off_loop(lambda: work(ask))
        except Wrong as error:
            return _failed(error.status, error.kind, error.what, error.cure, error.retry_after)
        except NanoBananaError as error:
            return _failed(409 if error.kind == "doubt" else 400, error.kind, error.what, error.cure)
        except OSError as error:
            log.warning("a route of Nano Banana failed: %s", error)
            return _failed(503, "ledger", *_disk(error))
        except Exception as error:
            log.exception("a route of Nano Banana failed")
            return _failed(500, "bug", f"The pack itself failed ({type(error).__name__})", "See ComfyUI's log")
        headers = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}
        if isinstance(found, File):
            # Kept by the browser, and asked about each time: a picture that was forgotten must not show again.
            headers |= {"ETag": f'"{found.tag}"', "Cache-Control": "private, no-cache"}
            if _tag(request) == found.tag:
                return web.Response(status=304, headers=headers)
            return web.Response(body=found.data, content_type=found.mime, headers=headers)
        # In ASCII: a graph may hold half a character, which is no UTF-8.
        return web.Response(
            text=json.dumps(found), content_type="application/json", headers={**headers, "Cache-Control": "no-store"}
        )

    return handle


def refused(method: str, headers: Mapping[str, str], own: str, named: str) -> str:
    """Why a request is not from the pack's own pages or a command line; "" when it may be.

    `own` is the address that the connection came in on, `named` the host names the user has allowed. A browser always
    says with Sec-Fetch-Site where a request is from; where it is missing, Origin and Referer tell.
    """
    site = headers.get("Sec-Fetch-Site", "").lower()
    asked = headers.get("Host", "").lower()
    # "none" is a person who typed the address: nobody types a PUT.
    if site and site != "same-origin" and not (site == "none" and method in ("GET", "HEAD")):
        return "Requests from other web sites are refused"
    try:
        if not site:
            for name in ("Origin", "Referer"):
                given = headers.get(name, "")
                if given and urlsplit(given).netloc.lower() != asked:
                    return "Requests from other web sites are refused"
        name = (urlsplit(f"//{asked}").hostname or "").rstrip(".")
    except ValueError:
        return "Requests with a malformed Host, Origin or Referer are refused"
    allowed = {each.strip().lower() for each in named.replace(";", ",").split(",") if each.strip()}
    if is_loopback(own) and not _is_local(name) and name not in allowed:
        return (
            f"The name {name[:80]} is not known to be this machine's. If it is your own, put it into the environment "
            f"variable {HOSTS_VARIABLE} and restart ComfyUI"
        )
    return ""


def _is_local(name: str) -> bool:
    """Whether no stranger's DNS server can have made this name point here."""
    if is_loopback(name) or "." not in name or name.endswith((".local", ".lan", ".internal", ".home.arpa")):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _tag(request: web.Request) -> str:
    return request.headers.get("If-None-Match", "").removeprefix("W/").strip('"')


def _own_name(request: web.Request) -> str:
    """The address on this machine that the connection came in on."""
    transport = request.transport
    address = transport.get_extra_info("sockname") if transport is not None else None
    return str(address[0]) if isinstance(address, tuple) and address else ""


async def _body(request: web.Request) -> Mapping[str, Any]:
    if request.method in ("GET", "DELETE") and not request.can_read_body:
        return {}
    if request.content_type != "application/json":
        raise Wrong(415, "The body has to be JSON (Content-Type: application/json)")
    data = bytearray()
    async for piece in request.content.iter_chunked(65536):
        data += piece
        if len(data) > MAX_BODY:
            raise Wrong(413, "The body is too long")
    try:
        value = json.loads(bytes(data) or b"{}")
    except (ValueError, RecursionError):
        raise Wrong(400, "The body is not JSON") from None
    if not isinstance(value, dict):
        raise Wrong(400, "The body has to be a JSON object")
    return value


def _disk(error: OSError) -> tuple[str, str]:
    """What happened and what to do where a file or folder can't be used."""
    name = os.path.basename(str(error.filename)) if isinstance(error.filename, (str, bytes, os.PathLike)) else ""
    which = f"The file or folder {name}" if name else "A file or folder of the pack"
    return (
        f"{which} can't be used: {error.strerror or type(error).__name__}",
        "See whether the disk with the pack's data folder, the results and ComfyUI's input folder is there, is writable "
        "and has room",
    )


def _failed(status: int, kind: str, what: str, cure: str = "", retry_after: int = 0) -> web.Response:
    body = json.dumps({"error": {"kind": kind, "what": redact(what, 2000), "cure": cure}})
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if retry_after:
        headers["Retry-After"] = str(retry_after)
    return web.Response(status=status, text=body, content_type="application/json", headers=headers)
