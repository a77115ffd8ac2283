"""Checks every request to the pack's routes before anything is done.

Refused by the pack itself, for GETs too and also where the host allows other origins: requests that another web site
makes, names that a public DNS server may point at this machine, bodies that are not JSON. Work is done off the server's
loop. Errors become JSON: {"error": {"kind", "what", "cure"}}.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from multidict import MultiMapping

from .. import comfyui
from ..core.config import host_names
from ..core.config.settings import Settings
from ..core.errors import NanoBananaError
from ..core.errors.messages import messages_in, msg
from ..core.redaction.text import redact
from .host_codes import codes

log = logging.getLogger("nano_banana")

MAX_BODY = 8 << 20
HOSTS_VARIABLE = host_names.VARIABLE
MESSAGES_HEADER = "X-Nano-Banana-Messages"
"""A request with it gets `messages` in its answer: English text -> id and parameters of every message."""


@dataclass(frozen=True)
class RouteRequest:
    """A request that passed the checks."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any] = field(default_factory=dict)
    has: str = ""
    """The tag of the file that the browser has already, "" where it has none."""
    name: str = ""
    """The host name in the request's Host header, without the port."""
    known: bool = True
    """Whether that name is this machine's own. False only in the route that is open to any name."""


@dataclass(frozen=True)
class File:
    """A response that is not JSON."""

    data: bytes
    mime: str
    tag: str


class ApiError(Exception):
    """The request can't be done: an HTTP status and a message."""

    def __init__(self, status: int, what: str, cure: str = "", kind: str = "request", retry_after: int = 0) -> None:
        super().__init__(what)
        self.status, self.what, self.cure, self.kind, self.retry_after = status, what, cure, kind, retry_after


Work = Callable[[RouteRequest], Any]
"""Runs on a thread of its own; gives something for JSON, or a File. Raises ApiError or NanoBananaError."""


def guarded(work: Work, *, any_name: bool = False) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The handler for a piece of work. `any_name`: also under a name that isn't known to be this machine's."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            refusal = refused(request.method, request.headers)
            if refusal:
                raise ApiError(403, refusal, kind="forbidden")
            name = host_names.name_in(request.headers.get("Host", ""))
            known = host_names.is_own_host(name, os.environ, ()) or name in await comfyui.off_loop(_accepted)
            if not known and not any_name:
                return _unknown_host(name)
            route_request = RouteRequest(
                dict(request.match_info), dict(request.query), await _body(request), _tag(request), name, known
            )
            found = await comfyui.off_loop(lambda: _with_messages(request, work(route_request)))
        except Exception as error:
            return _error_response(error, request)
        headers = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}
        if isinstance(found, File):
            # The browser keeps it and revalidates each time: a picture that was forgotten must not show again.
            headers |= {"ETag": f'"{found.tag}"', "Cache-Control": "private, no-cache"}
            if _tag(request) == found.tag:
                return web.Response(status=304, headers=headers)
            return web.Response(body=found.data, content_type=found.mime, headers=headers)
        # In ASCII: a graph may hold a lone surrogate, which is no UTF-8.
        return web.Response(
            text=json.dumps(found), content_type="application/json", headers={**headers, "Cache-Control": "no-store"}
        )

    return handle


def _with_messages(request: web.Request, found: Any) -> Any:
    """What a piece of work gave; where the page asks for it, with the table that says its messages in other languages."""
    if request.headers.get(MESSAGES_HEADER) and isinstance(found, dict):
        return {**found, "messages": messages_in(found)}
    return found


def _error_response(error: Exception, request: web.Request) -> web.Response:
    """The answer for what a piece of work raised."""
    has_table = bool(request.headers.get(MESSAGES_HEADER))
    if isinstance(error, ApiError):
        return _failed(error.status, error.kind, error.what, error.cure, error.retry_after, has_table=has_table)
    if isinstance(error, NanoBananaError):
        status = 409 if error.kind == "doubt" else 400
        return _failed(status, error.kind, error.what, error.cure, has_table=has_table)
    if isinstance(error, OSError):
        log.warning("a route of Nano Banana failed: %s", error)
        return _failed(503, "ledger", *_disk(error), has_table=has_table)
    log.exception("a route of Nano Banana failed")
    what = msg("security.pack_itself_failed", name=type(error).__name__)
    return _failed(500, "bug", what, msg("security.see_log"), has_table=has_table)


def refused(method: str, headers: Mapping[str, str]) -> str:
    """Why a request is from another web site, or malformed; "" when it is neither.

    A browser always says with Sec-Fetch-Site where a request is from; where it is missing, Origin and Referer tell. Where
    the request was forwarded from is not looked at: a page can write X-Forwarded-Host itself.
    """
    if any(len(_all(headers, name)) > 1 for name in ("Host", "Origin", "Referer", "Sec-Fetch-Site")):
        return msg("security.duplicate_origin_refused")
    site = headers.get("Sec-Fetch-Site", "").lower()
    host = headers.get("Host", "").lower()
    # "none" is an address typed by the user: never a PUT.
    if site and site != "same-origin" and not (site == "none" and method in ("GET", "HEAD")):
        return msg("security.cross_site_refused")
    try:
        if not site:
            for name in ("Origin", "Referer"):
                given = headers.get(name, "")
                if given and urlsplit(given).netloc.lower() != host:
                    return msg("security.cross_site_refused")
        host_names.name_in(host)
    except ValueError:
        return msg("security.malformed_origin_refused")
    return ""


def _all(headers: Mapping[str, str], name: str) -> list[str]:
    """Every value of a header: no browser sends one of these twice, and a proxy and this server may read different ones."""
    if isinstance(headers, MultiMapping):
        return list(headers.getall(name, []))
    return [headers[name]] if name in headers else []


def _unknown_host(name: str) -> web.Response:
    """The refusal of a request under a name that may be a web site's, with the step by which a person accepts it."""
    codes.announce(name)
    return _failed(
        403,
        "forbidden",
        msg("security.host_name_not_accepted", name=name[:80]),
        msg("security.how_to_accept_name", hosts_variable=HOSTS_VARIABLE),
        unknown_host=name,
    )


def _accepted() -> list[str]:
    """The host names that the user has accepted."""
    try:
        return host_names.accepted(Settings.read(comfyui.data_folder()))
    except ImportError:  # without ComfyUI there is no data folder
        return []


def _tag(request: web.Request) -> str:
    return request.headers.get("If-None-Match", "").removeprefix("W/").strip('"')


async def _body(request: web.Request) -> Mapping[str, Any]:
    if request.method in ("GET", "DELETE") and not request.can_read_body:
        return {}
    if request.content_type != "application/json":
        raise ApiError(415, msg("security.json_content_type_expected"))
    data = bytearray()
    async for piece in request.content.iter_chunked(65536):
        data += piece
        if len(data) > MAX_BODY:
            raise ApiError(413, msg("security.body_too_long"))
    try:
        value = json.loads(bytes(data) or b"{}")
    except (ValueError, RecursionError):
        raise ApiError(400, msg("security.not_json")) from None
    if not isinstance(value, dict):
        raise ApiError(400, msg("security.json_object_expected"))
    return value


def _disk(error: OSError) -> tuple[str, str]:
    """What happened and what to do where a file or folder can't be used."""
    name = os.path.basename(str(error.filename)) if isinstance(error.filename, (str, bytes, os.PathLike)) else ""
    which = msg("security.named_file_or_folder", name=name) if name else msg("security.some_pack_file")
    return (
        msg("security.file_not_usable", which=which, error=error.strerror or type(error).__name__),
        msg("security.check_disk"),
    )


def _failed(
    status: int,
    kind: str,
    what: str,
    cure: str = "",
    retry_after: int = 0,
    *,
    has_table: bool = False,
    **more: Any,
) -> web.Response:
    shown = redact(what, 2000)
    if has_table and shown == what:  # parts of a text that was redacted could be secret
        more["messages"] = messages_in([what, cure])
    body = json.dumps({"error": {"kind": kind, "what": shown, "cure": cure}, **more})
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if retry_after:
        headers["Retry-After"] = str(retry_after)
    return web.Response(status=status, text=body, content_type="application/json", headers=headers)
