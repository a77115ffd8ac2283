"""Google service accounts: the JSON document that is used as a key, and the access tokens that are requested with it.

A token is requested where a key is attached, before anything is paid, and used again until shortly before it expires. The
library `google-auth` signs; it is optional, and where it is missing the message says how to get it. Its requests go
through our own transport: to the token address in the document and nowhere else, without redirects, over https (or
loopback). No error repeats anything of the document; it names what is missing.
"""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import json
import re
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

from ..dialects.base.step import Reply
from ..errors import ConfigError, KeyRefused, Kind, NanoBananaError, ProviderFailure, provider_error
from ..errors.messages import message_of, msg
from ..http import backoff
from ..http.body import Body, Raw
from ..http.connections import UnsafeAddress
from ..http.failures import RequestFailed
from ..http.transport import TooLong, Transport
from ..http.url_policy import is_loopback, origin
from ..redaction.text import redact
from .account_document import is_api_key, parsed

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
TOKEN_SECONDS = 60.0
"""For one token, tries included."""
_ANSWER_BYTES = 1 << 20
TRIES = 3
"""While the token address can't be reached; google-auth repeats what is answered with a transient error."""
_NEEDED = ("client_email", "private_key", "project_id", "token_uri")
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")
"""What fits into a header."""
_PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")


def document(text: str, source: str) -> str:
    """The document of a service account, checked and on one line. Raises ConfigError."""
    account = parsed(text)
    if isinstance(account, str):
        raise _invalid(source, msg("google_service_account.is_an_api_key") if is_api_key(text) else account)
    if account.get("type") != "service_account":
        raise _invalid(source, msg("google_service_account.is_another_credential"))
    missing = [name for name in _NEEDED if not isinstance(account.get(name), str) or not account[name].strip()]
    if missing:
        raise _invalid(source, msg("google_service_account.lacks", names=", ".join(missing)))
    if "-----BEGIN" not in account["private_key"] or "-----END" not in account["private_key"]:
        raise _invalid(source, msg("google_service_account.private_key_incomplete"))
    if not _PROJECT.fullmatch(account["project_id"]):
        raise _invalid(source, msg("google_service_account.project_id_invalid"))
    if not _is_safe_token_uri(account["token_uri"]):
        raise _invalid(source, msg("google_service_account.token_uri_not_https"))
    if not _google_auth_installed():
        raise ConfigError(
            msg("google_service_account.google_auth_not_installed"),
            cure=msg("google_service_account.install_google_auth", executable=sys.executable),
        )
    return json.dumps({"type": "service_account", **{name: account[name] for name in _NEEDED}})


def project_of(account: str) -> str:
    """The project that a checked document belongs to."""
    return str(json.loads(account)["project_id"])


class Tokens:
    """The tokens of this process, by document; safe to be asked from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._credentials: dict[str, Any] = {}
        self._failed: dict[str, tuple[float, NanoBananaError]] = {}
        """The last failure of a document and its time: threads that waited for the lock meanwhile raise it, too."""

    def token(self, account: str, source: str, label: str, proxy: str = "", ca_bundle: str = "") -> str:
        """A token that is good for some minutes yet. Raises ConfigError, KeyRefused or NetworkError; nothing is charged.

        `account` is a checked document, `source` the place it is from, `label` the provider's name for the user.
        """
        name, came = hashlib.sha256(account.encode()).hexdigest(), time.monotonic()
        with self._lock:
            if name not in self._credentials:
                self._credentials[name] = _new_credentials(account, source)
            credentials = self._credentials[name]
            if not credentials.valid:
                known, last = self._failed.get(name, (came, None))
                if last is not None and known > came:
                    raise copy.copy(last)
                try:
                    _refresh(credentials, json.loads(account)["token_uri"], source, label, proxy, ca_bundle)
                except NanoBananaError as error:
                    self._failed[name] = time.monotonic(), copy.copy(error)
                    raise
            return str(credentials.token)

    def forget(self, account: str) -> None:
        """Drops the token of a document that was refused; the next call requests another."""
        with self._lock:
            self._credentials.pop(hashlib.sha256(account.encode()).hexdigest(), None)


def _new_credentials(account: str, source: str) -> Any:
    from google.oauth2 import service_account

    try:
        return service_account.Credentials.from_service_account_info(json.loads(account), scopes=[SCOPE])
    except Exception:  # whatever the parsers of keys raise; their words may hold pieces of it
        raise _invalid(source, msg("google_service_account.private_key_unreadable")) from None


def _refresh(credentials: Any, address: str, source: str, label: str, proxy: str, ca_bundle: str) -> None:
    from google.auth import exceptions

    transport = Transport(address, proxy, ca_bundle)
    request = _TokenRequest(transport, address)
    try:
        credentials.refresh(request)
    except exceptions.TransportError:
        cure = request.cure or msg("google_service_account.check_internet_connection")
        what = msg("google_service_account.token_request_failed", label=label, problem=request.problem)
        raise provider_error(ProviderFailure(request.kind, cure=cure), label, "no", what=what) from None
    except Exception as error:  # RefreshError; or anything, where google-auth is given a web page
        raise _token_error(error, request.status, source, label) from None
    finally:
        transport.close()
    if not isinstance(credentials.token, str) or not _TOKEN.fullmatch(credentials.token):
        credentials.token = None
        raise _token_error(ValueError(), request.status, source, label)


class _TokenRequest:
    """google-auth's `Request`, over our transport and to one address."""

    def __init__(self, transport: Transport, address: str) -> None:
        self._transport, self._address = transport, address
        self._deadline = time.monotonic() + TOKEN_SECONDS
        self.problem = self.cure = ""
        self.kind: Kind = "network"
        self.status = 0

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **_: Any,
    ) -> _TokenResponse:
        from google.auth import exceptions

        for attempt in range(1, TRIES + 1):
            try:
                reply = self._send(url, method, body, headers or {})
            except RequestFailed as error:
                self.problem, self.kind, self.cure = error.why, error.kind, error.cure
                if error.lasting:
                    break
                time.sleep(backoff.delay(attempt, 0.0) / 2)
            except (UnsafeAddress, TooLong) as error:
                self.problem = message_of(error)
                break
            else:
                self.status = reply.status
                return _TokenResponse(reply)
        raise exceptions.TransportError(self.problem)

    def _send(self, url: str, method: str, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        if url != self._address:
            raise UnsafeAddress(msg("google_service_account.unexpected_token_address"))
        content = Body((Raw(body),), "application/x-www-form-urlencoded") if body else None
        return self._transport.send(
            method, url, headers=headers, body=content, deadline=self._deadline, limit=_ANSWER_BYTES
        )


class _TokenResponse:
    """google-auth's `Response`."""

    def __init__(self, reply: Reply) -> None:
        self.status, self.headers, self.data = reply.status, reply.headers, reply.body


def _token_error(error: Exception, status: int, source: str, label: str) -> NanoBananaError:
    """The error for an answer of the token address that is no token."""
    body = next((each for each in error.args if isinstance(each, dict)), {})
    message = redact("; ".join(str(body[name]) for name in ("error", "error_description") if body.get(name)))
    if status < 400:
        what = msg("google_service_account.token_answer_invalid", source=source)
        return provider_error(ProviderFailure("unreadable", message, status), label, "no", what=what)
    if status >= 500 or status in (408, 429):
        return provider_error(
            ProviderFailure("busy", message, status),
            label,
            "no",
            what=msg("google_service_account.no_token_given", label=label),
        )
    return KeyRefused(
        msg("google_service_account.token_refused", label=label, source=source, status=status)
        + (f": {message}" if message else ""),
        cure=msg("google_service_account.check_account_and_clock"),
        status=status,
    )


def _is_safe_token_uri(address: str) -> bool:
    try:
        scheme, host, _ = origin(address)
    except ValueError:
        return False
    return scheme == "https" or is_loopback(host)


def _google_auth_installed() -> bool:
    try:
        return importlib.util.find_spec("google.auth") is not None
    except (ImportError, ValueError):
        return False


def _invalid(source: str, what: str) -> ConfigError:
    return ConfigError(
        msg("google_service_account.key_has_problem", source=source, what=what),
        cure=msg("google_service_account.service_account_key_expected"),
    )
