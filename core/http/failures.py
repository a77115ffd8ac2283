"""Why a connection failed, as a message for the user, and how much of the request had been sent by then.

The cause is looked for in the chain of exceptions that requests, urllib3, ssl and socket raise from one another. Nothing
here decides whether a request is sent again. Called by `transport`.
"""

from __future__ import annotations

import re
import socket
import ssl
from typing import Literal

import requests
import urllib3

from ..errors import Kind
from ..errors.messages import msg
from ..redaction.text import public_url, redact
from .connections import NoFinalAnswer
from .content_encoding import Undecodable
from .reply import Reply
from .response_head import BadAnswer

_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3}) ?([^'\")]{0,60})")
_CLOCK = frozenset({9, 10})
"""OpenSSL's numbers for a certificate that is not yet valid, and for one that has expired."""
_WRONG_NAME = frozenset({62, 64})
"""For a certificate of another host, by name or by address."""
_PROXY_SETTINGS = msg("http.proxy_settings_names")
_BUNDLE = msg("http.name_certificate_of_proxy")


BytesSent = Literal["none", "partial", "all"]
"""How much of a request had been sent when it failed: "none" (no connection), "partial" (a part of the body) or "all"."""


class RequestFailed(Exception):
    """The connection failed. `sent`: how much of the request had been sent by then. `why` is for the user."""

    def __init__(
        self,
        why: str,
        sent: BytesSent,
        *,
        timed_out: bool = False,
        kind: Kind = "network",
        cure: str = "",
        lasting: bool = False,
    ) -> None:
        """`kind`: "proxy" and "certificate" where it was that, "unreadable" where what came is no answer. `lasting`:
        another try would fail the same way."""
        super().__init__(why)
        self.why, self.sent, self.timed_out = why, sent, timed_out
        self.kind, self.cure, self.lasting = kind, cure, lasting
        self.reply: Reply | None = None
        """What had come of the answer by then; None where it had not begun."""


def request_failed_by(error: BaseException, sent: BytesSent, proxy: str = "") -> RequestFailed:
    """What an exception of a request means. `proxy`: the address of the proxy that it went through, if any."""
    refused = cause_of(error, ssl.SSLCertVerificationError)
    if isinstance(refused, ssl.SSLCertVerificationError):
        return _certificate(refused, sent)
    if cause_of(error, NoFinalAnswer) is not None:
        why = msg("http.only_interim_answers")
        return RequestFailed(why, sent, timed_out=True)
    if proxy and (isinstance(error, requests.exceptions.ProxyError) or sent == "none"):
        return _proxy(error, sent, proxy)
    unread = cause_of(error, BadAnswer) or cause_of(error, Undecodable)
    if unread is not None:
        return RequestFailed(str(unread), sent, kind="unreadable")
    return RequestFailed(why_of(error), sent, timed_out=timed_out(error))


def _certificate(error: ssl.SSLCertVerificationError, sent: BytesSent) -> RequestFailed:
    reason = (getattr(error, "verify_message", "") or _ssl_message(error)).replace("self signed", "self-signed")
    code = getattr(error, "verify_code", 0)
    cure = _BUNDLE
    if code in _CLOCK:
        cure = msg("http.check_clock", bundle=_BUNDLE)
    elif code in _WRONG_NAME:
        cure = msg("http.another_server_answers", bundle=_BUNDLE)
    why = msg("http.certificate_verify_failed") + redact(reason).rstrip(".")
    return RequestFailed(why, sent, kind="certificate", cure=cure, lasting=True)


def _proxy(error: BaseException, sent: BytesSent, proxy: str) -> RequestFailed:
    """A proxy that could not be reached, or that did not let the request through."""
    proxy_address = public_url(proxy if "://" in proxy else f"http://{proxy}")
    tunnel = _TUNNEL.search(str(error))
    if tunnel is None:
        wrong = "appears to only use HTTP" in str(error)
        why = msg("http.proxy_speaks_http_only") if wrong else _proxy_words(error)
        cure = msg("http.check_proxy_address", proxy_settings=_PROXY_SETTINGS)
        return RequestFailed(
            msg("http.proxy_failed", proxy_address=proxy_address, why=why),
            sent,
            kind="proxy",
            cure=cure,
            lasting=wrong,
        )
    status, message = int(tunnel[1]), redact(tunnel[2], 60).strip()
    why = msg(
        "http.proxy_refused",
        proxy_address=proxy_address,
        status=status,
        proxy_message=f" {message}" if message else "",
    )
    if status == 407:
        cure = msg("http.proxy_wants_user_name") + _PROXY_SETTINGS
    elif status in (502, 503, 504):
        cure = msg("http.proxy_cannot_reach_provider", proxy_settings=_PROXY_SETTINGS)
    else:
        cure = msg("http.ask_proxy_owner_or_change", proxy_settings=_PROXY_SETTINGS)
    return RequestFailed(why, sent, kind="proxy", cure=cure, lasting=status < 500)


def _proxy_words(error: BaseException) -> str:
    """Why the proxy could not be used, where it sent no status."""
    if cause_of(error, BadAnswer) is not None:
        return msg("http.not_a_proxy")
    return why_of(error)


def why_of(error: BaseException) -> str:
    """The reason of a failed connection as text, without addresses and query strings."""
    if (
        cause_of(error, socket.gaierror) is not None
        or "Name or service not known" in str(error)
        or "resolve" in str(error)
    ):
        return msg("http.name_lookup_failed")
    insecure = cause_of(error, ssl.SSLError)
    if insecure is not None:
        message = _ssl_message(insecure)
        plain = msg("http.server_speaks_no_tls") if "wrong version number" in message.lower() else ""
        return msg("http.secure_connection_failed_because", message=message, plain=plain)
    if isinstance(error, requests.exceptions.SSLError):
        return msg("http.secure_connection_failed")
    if cause_of(error, ConnectionRefusedError) is not None:
        return msg("http.connection_refused")
    if cause_of(error, ConnectionResetError) is not None or cause_of(error, BrokenPipeError) is not None:
        return msg("http.connection_reset")
    if timed_out(error):
        return msg("http.no_answer_in_time")
    if "RemoteDisconnected" in repr(error) or "IncompleteRead" in repr(error) or "Connection aborted" in str(error):
        return msg("http.connection_closed_early")
    return msg("http.connection_failed", name=type(error).__name__)


def never_arrived(error: BaseException) -> bool:
    """Whether an exception belongs to a connection that was never made."""
    never = (
        urllib3.exceptions.NewConnectionError,
        urllib3.exceptions.ConnectTimeoutError,
        socket.gaierror,
        ConnectionRefusedError,
        requests.exceptions.ConnectTimeout,
        requests.exceptions.SSLError,
    )
    return any(cause_of(error, kind) is not None for kind in never)


def timed_out(error: BaseException) -> bool:
    """Whether the cause was a timeout."""
    if cause_of(error, urllib3.exceptions.NewConnectionError) is not None:
        # urllib3 counts every connection that could not be made among its timeouts.
        return cause_of(error, TimeoutError) is not None
    kinds = (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)
    return any(cause_of(error, kind) is not None for kind in kinds)


def cause_of(error: BaseException, kind: type[BaseException]) -> BaseException | None:
    """`error` or anything it was raised from or wraps, of the class `kind`."""
    seen: set[int] = set()
    queue: list[object] = [error]
    while queue:
        current = queue.pop()
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        if isinstance(current, kind):
            return current
        queue += [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]
    return None


def _ssl_message(error: BaseException) -> str:
    """OpenSSL's own message, without the names of its source files."""
    message = str(error.args[1]) if len(error.args) > 1 else str(error)
    message = re.sub(r"^\[[^\]]*\] ?|\(_ssl\.c:\d+\)$", "", message.strip())
    return redact(message, 160).strip() or type(error).__name__
