"""Sends one request and reads the answer; knows nothing about providers, money or retries.

What it refuses: redirects on anything that carries a key, `.netrc`, cookies, proxies towards loopback, addresses inside
the user's network for what came out of a reply, and answers without end. A request can be cancelled until its last byte
was sent; from then on the answer is waited for. Its deadline holds for the whole exchange, however slowly the other end
sends or reads; only the system's own look-up of a name can't be hurried.
"""

from __future__ import annotations

import http.client
import http.cookiejar
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, cast
from urllib.parse import urljoin

import requests
import urllib3
from requests.utils import select_proxy

from ..errors import ConfigError
from ..errors.messages import msg
from ..redaction.text import public_url, redact
from . import content_encoding, proxy_policy, url_policy
from .body_buffer import Received
from .connections import Adapter, GuardedAdapter, PrivateAddress, UnsafeAddress
from .failures import BytesSent, RequestFailed, cause_of, never_arrived, request_failed_by
from .long_json import NotJson, read_json
from .reply import Reply
from .socket_reader import seconds_remaining, silent_end
from .stream_end import StreamEnd

CONNECT_SECONDS = 15.0
ANSWER_BYTES = 320 << 20
"""The longest API answer that is read: four pictures of 4K as base64, 67 MB each, fit, and it stays the only large thing in
memory until a picture is taken out of it."""
PICTURE_BYTES = 192 << 20
"""The longest file of a picture: one of 4K with 16 bits a channel has 100 MB."""
_PIECE = 256 * 1024
_REDIRECTS = 5
_REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
_LONGEST_ADDRESS = 16 << 10
_BREAKS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
_NOT_PRINTABLE = re.compile(r"[\x00-\x20\x7f-\x9f]")
_SECRET_LENGTH = 6
"""Characters; a shorter key could occur in a reply by chance."""
_AGENT = "Mozilla/5.0 (compatible; nano-banana-your-key/1.0)"
"""Hosts behind Cloudflare refuse the User-Agent of HTTP libraries."""


class Cancelled(Exception):
    """The run was stopped before the last byte was sent: the provider never had the request."""


class TooLong(Exception):
    """The answer is longer than the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(msg("transport.answer_too_long", limit=limit >> 20))
        self.reply: Reply | None = None
        """What was received until then, where that is worth keeping."""


@dataclass
class TransferHooks:
    """Callbacks of a caller while a request is being sent."""

    is_cancelled: Callable[[], bool] = lambda: False
    on_sent: Callable[[int, int], None] = lambda sent, total: None
    """Bytes of the body that were sent, and all of them."""
    on_last_byte: Callable[[], None] = lambda: None
    """Called before the last byte leaves: from then on the provider may have the whole request."""
    on_received: Callable[[bytes], None] = lambda piece: None
    """Called with each piece of the answer's body, as it arrives. A key that the server repeats is in it."""
    is_whole: Callable[[bytes], bool] | None = None
    """Whether so much of the answer's body is all of it, although its connection stays open. Asked after some silence;
    None where only the connection's end counts."""


class Transport:
    """One per call: its connections are its own, so that a paid request never goes out on a stale one."""

    def __init__(
        self,
        base_url: str,
        proxy: str = "",
        ca_bundle: str = "",
        clock: Callable[[], float] = time.monotonic,
        uploads: str = "",
    ) -> None:
        """`uploads`: the address of the provider's upload API, where that has an origin of its own."""
        self._own = frozenset(url_policy.origin(url) for url in (base_url, uploads) if url)
        self._proxy, self._ca = proxy, ca_bundle
        self._clock = clock
        self._sessions: dict[str, requests.Session] = {}

    def close(self) -> None:
        for session in self._sessions.values():
            session.close()

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: Any = None,
        key: tuple[str, str] | None = None,
        deadline: float,
        fresh: bool = False,
        hooks: TransferHooks | None = None,
        limit: int | None = None,
    ) -> Reply:
        """One API request, answered completely.

        `key` is a header name and value, attached last and only to the provider's own origins. `fresh` asks for a new
        connection. `deadline` is a value of the clock; `limit` the most bytes of an answer, ANSWER_BYTES where it is
        None. Raises RequestFailed, Cancelled, TooLong, UnsafeAddress, ConfigError.
        """
        hooks, url = hooks or TransferHooks(), _as_sent(url)
        own = url_policy.origin(url) in self._own
        if key and not own:
            raise UnsafeAddress(msg("transport.key_for_own_provider_only"))
        session = self._session(url, guarded=not own)
        if fresh:
            session.close()
        counted = _CountedBody(body, hooks) if body is not None else None
        packed = {"Accept-Encoding": content_encoding.ASKED_FOR}
        sent = {"User-Agent": _AGENT, "Accept": "application/json", **packed, **headers}
        with self._open(session, method, url, sent, counted, key, deadline, stream=True) as response:
            secret = _secret_of(key)
            received = Received(secret.encode())
            end = StreamEnd(received, hooks.is_whole)
            silent_end.set(end.silence)
            try:
                for piece in self._pieces(response, limit or ANSWER_BYTES, deadline, hooks, may_cancel=False):
                    received.add(piece)
                    hooks.on_received(piece)
                    if end.follows(piece):
                        break
            except RequestFailed as late:
                late.reply = _reply(response, received.end(), secret)
                raise
            except TooLong as error:
                error.reply = _reply(response, received.end(), secret) if len(received) else None
                raise
            except _BREAKS as error:
                data = received.end()
                if not (end.reached or _is_whole(data)):
                    broken = request_failed_by(error, "all")
                    broken.reply = _reply(response, data, secret)
                    raise broken from None
                return _reply(response, data, secret)
            return _reply(response, received.end(), secret)

    def download(
        self,
        url: str,
        *,
        deadline: float,
        end: float | None = None,
        hooks: TransferHooks | None = None,
        start: int = 0,
        tag: str = "",
    ) -> tuple[Reply, bool]:
        """A file from an address out of a reply: no key, guarded redirects.

        Its first byte has to arrive by `deadline`, its last one by `end`, where that is given. `start` asks for the
        rest from that byte, if the file still has the ETag `tag`. Gives the reply and whether it is complete, which it
        isn't when the connection ended before the promised length. Raises RequestFailed, Cancelled, TooLong, UnsafeAddress.
        """
        hooks = hooks or TransferHooks()
        for _ in range(_REDIRECTS):
            url = _as_sent(url)
            own = self._allowed(url)
            session = self._session(url, guarded=not own)
            headers = {"User-Agent": _AGENT, "Accept": "image/*,*/*;q=0.5", "Accept-Encoding": "identity"}
            if start:
                headers["Range"] = f"bytes={start}-"
                if tag and not tag.startswith("W/"):
                    headers["If-Range"] = tag
            with self._open(session, "GET", url, headers, None, None, deadline, stream=True) as response:
                if response.status_code in _REDIRECT_STATUSES and response.headers.get("location"):
                    url = _redirect_target(url, response.headers["location"])
                    continue
                seconds_remaining.set(lambda: (end or deadline) - self._clock())
                received = Received()
                whole = True
                try:
                    limit = max(0, PICTURE_BYTES - start)
                    for piece in self._pieces(response, limit, end or deadline, hooks, may_cancel=True):
                        received.add(piece)
                except _BREAKS:
                    whole = False
                plain = response.headers.get("content-encoding", "identity").lower() == "identity"
                if plain and len(received) < _promised(response):
                    whole = False
                return _reply(response, received.end()), whole
        raise UnsafeAddress(msg("transport.endless_redirects"))

    def save(
        self, url: str, file: BinaryIO, *, key: tuple[str, str] | None, deadline: float, most: int
    ) -> tuple[int, Reply | None]:
        """Writes the answer of the provider's own API to `file`, piece by piece: how many bytes, and None.

        Any answer but a 2xx is given as a reply, and nothing is written. `most`: the most bytes. Raises RequestFailed, TooLong,
        UnsafeAddress, ConfigError, and OSError where the file can't be written.
        """
        url = _as_sent(url)
        if url_policy.origin(url) not in self._own:
            raise UnsafeAddress(msg("transport.key_for_own_provider_only"))
        session = self._session(url, guarded=False)
        headers = {"User-Agent": _AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
        with self._open(session, "GET", url, headers, None, key, deadline, stream=True) as response:
            hooks, written = TransferHooks(), 0
            good = 200 <= response.status_code < 300
            received = Received(_secret_of(key).encode())
            try:
                for piece in self._pieces(response, most if good else ANSWER_BYTES, deadline, hooks, may_cancel=False):
                    written += file.write(piece) if good else 0
                    if not good:
                        received.add(piece)
            except _BREAKS as error:
                raise request_failed_by(error, "all") from None
            if good and written < _promised(response):
                raise RequestFailed(msg("download.connection_ended_early"), "all")
            return written, None if good else _reply(response, received.end(), _secret_of(key))

    # ------------------------------------------------------------------------------------------------ inside

    def _open(
        self,
        session: requests.Session,
        method: str,
        url: str,
        headers: Mapping[str, str],
        counted: _CountedBody | None,
        key: tuple[str, str] | None,
        deadline: float,
        stream: bool,
    ) -> requests.Response:
        seconds = deadline - self._clock()
        if seconds <= 0:
            raise RequestFailed(msg("transport.time_up_before_sending"), "none", timed_out=True)
        seconds_remaining.set(lambda: deadline - self._clock())
        silent_end.set(None)
        try:
            return session.request(
                method,
                url,
                headers=dict(headers),
                data=cast(Any, counted),
                auth=_KeyHeaderAuth(key),
                verify=session.verify,
                allow_redirects=False,
                stream=stream,
                timeout=(min(CONNECT_SECONDS, seconds), seconds),
            )
        except (Cancelled, UnsafeAddress):
            raise
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise _error_of(error, _bytes_sent(error, counted), _proxy_for(session, url)) from None

    def _pieces(
        self, response: requests.Response, limit: int, deadline: float, hooks: TransferHooks, *, may_cancel: bool
    ) -> Iterator[bytes]:
        if _promised(response) > limit:
            raise TooLong(limit)
        total = 0
        for piece in _arriving(response):
            total += len(piece)
            if total > limit:
                raise TooLong(limit)
            if self._clock() > deadline:
                raise RequestFailed(msg("transport.answer_not_ended_in_time"), "all", timed_out=True)
            if may_cancel and hooks.is_cancelled():
                raise Cancelled
            yield piece

    def _allowed(self, url: str) -> bool:
        """Whether `url` is the provider's own origin. Raises UnsafeAddress when it may not be fetched at all."""
        try:
            found = url_policy.origin(url)
        except ValueError:
            raise UnsafeAddress(msg("transport.not_an_http_address")) from None
        if found in self._own:
            return True
        if not url_policy.is_public_host_name(found[1]):
            raise PrivateAddress(msg("transport.address_is_private", url=public_url(url)))
        return False

    def _session(self, url: str, *, guarded: bool) -> requests.Session:
        if guarded:
            self._allowed(url)
        loopback = url_policy.is_loopback(url_policy.origin(url)[1])
        kind = "loopback" if loopback else "guarded" if guarded else "own"
        if kind not in self._sessions:
            session: requests.Session = _Session()
            session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
            if loopback:
                session.trust_env = False
            elif self._proxy:
                session.trust_env = False  # else the machine's own proxy would go before the one that was named
                session.proxies = {"http": self._proxy, "https": self._proxy}
            for scheme in ("http://", "https://"):
                session.mount(scheme, GuardedAdapter() if guarded else Adapter())
            bundle = (
                self._ca
                or os.environ.get("REQUESTS_CA_BUNDLE")
                or os.environ.get("CURL_CA_BUNDLE")
                or os.environ.get("SSL_CERT_FILE")
                or ""
            )
            if bundle and not loopback:
                session.verify = bundle
            self._sessions[kind] = session
        chosen = self._sessions[kind]
        if guarded and not loopback and _proxy_for(chosen, url):
            proxy_policy.check_for_proxy(url_policy.origin(url)[1])
        return chosen


class _Session(requests.Session):
    """A session that leaves redirects alone: requests would read the whole body of one, however long it unpacks to."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


def _error_of(error: Exception, sent: BytesSent, proxy: str) -> Exception:
    """What to raise for an exception of a request: Cancelled, UnsafeAddress, ConfigError or RequestFailed."""
    if isinstance(error, requests.exceptions.InvalidSchema) and "SOCKS" in str(error):
        return ConfigError(
            msg("transport.pysocks_not_installed"),
            cure=msg("transport.install_pysocks"),
        )
    if isinstance(error, requests.exceptions.InvalidProxyURL):
        return ConfigError(
            msg("transport.proxy_not_an_address"),
            cure=msg("transport.proxy_address_example"),
        )
    if isinstance(error, (requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL)):
        return UnsafeAddress(msg("transport.not_an_http_address"))
    if not isinstance(error, _BREAKS):
        # A host that can't be written in an address, or a header that can't be sent: found before anything leaves.
        return UnsafeAddress(msg("transport.not_an_http_address"))
    if isinstance(unsafe := cause_of(error, UnsafeAddress), UnsafeAddress):
        return unsafe
    if cause_of(error, Cancelled) is not None:
        return Cancelled()
    if cause_of(error, urllib3.exceptions.LocationValueError) is not None:
        return UnsafeAddress(msg("transport.not_an_http_address"))  # a part of its host is too long
    if isinstance(error, OSError) and "CA certificate bundle" in str(error):
        return ConfigError(
            msg("transport.ca_file_missing"),
            cure=msg("transport.correct_ca_bundle"),
        )
    return request_failed_by(error, sent, proxy)


def _as_sent(url: str) -> str:
    """An address exactly as it will be sent, so that what is checked is what is asked. Raises UnsafeAddress."""
    if len(url) > _LONGEST_ADDRESS:
        raise UnsafeAddress(msg("transport.address_too_long", longest_address=_LONGEST_ADDRESS >> 10))
    try:
        request = requests.PreparedRequest()
        request.prepare_url(url, None)
        return str(request.url)
    except (requests.RequestException, ValueError):
        raise UnsafeAddress(msg("transport.not_an_http_address")) from None


def _redirect_target(url: str, location: str) -> str:
    """Where a redirect from `url` leads. Raises UnsafeAddress."""
    if len(location) > _LONGEST_ADDRESS:
        raise UnsafeAddress(msg("transport.redirect_too_long", longest_address=_LONGEST_ADDRESS >> 10))
    try:
        location = location.encode("latin-1").decode("utf-8")
    except UnicodeError:
        pass  # then it is what latin-1 makes of it
    if _NOT_PRINTABLE.search(location):
        raise UnsafeAddress(msg("transport.redirect_not_an_address"))
    try:
        return urljoin(url, location)
    except ValueError:
        raise UnsafeAddress(msg("transport.redirect_not_an_address")) from None


def _promised(response: requests.Response) -> int:
    """The length of the body by its headers, which `response_head` has cleaned; 0 where they don't say."""
    return int(response.headers.get("content-length", "0"))


def _is_whole(data: bytes) -> bool:
    """Whether an answer is complete although its connection broke: the end of its JSON, or of its event stream, is there."""
    edges = data[:64].lstrip()[:1] + data[-64:].rstrip()[-1:]
    if edges in (b"{}", b"[]"):
        try:
            read_json(data)
        except NotJson:
            return False
        return True
    return data[-64:].rstrip().endswith(b"data: [DONE]")


def _arriving(response: requests.Response) -> Iterator[bytes]:
    """The unpacked body as it comes: a larger read would wait for its last byte, and an answer may drip."""
    decoder = content_encoding.Decoder(response.headers.get("content-encoding", ""))
    if decoder.changes_nothing:
        decoder = content_encoding.Decoder(
            "gzip"
        )  # some servers pack without saying so; what isn't packed stays as it is
    for piece in _raw_pieces(response):
        yield from decoder.feed(piece)
    yield from decoder.end()


def _raw_pieces(response: requests.Response) -> Iterator[bytes]:
    read1 = getattr(response.raw, "read1", None)
    if read1 is None:
        yield from _pieces_of_old(response.raw)
        return
    while piece := read1(_PIECE, decode_content=False):
        yield piece


def _pieces_of_old(raw: Any) -> Iterator[bytes]:
    """The body of an answer from urllib3 before 2.1, which waits for whole pieces and reads sizes of chunks by itself."""
    answer: http.client.HTTPResponse = raw._fp
    try:
        while piece := answer.read1(_PIECE):
            yield piece
    except http.client.HTTPException as error:
        raise urllib3.exceptions.ProtocolError(str(error), error) from error
    if answer.length:
        raise urllib3.exceptions.ProtocolError("IncompleteRead")
    answer.close()
    raw.release_conn()


def _proxy_for(session: requests.Session, url: str) -> str:
    """The proxy that a request of this session to `url` goes through; "" for none."""
    merged = session.merge_environment_settings(url, {}, None, None, None)
    return select_proxy(url, merged["proxies"]) or ""


class _KeyHeaderAuth(requests.auth.AuthBase):
    """Attaches the key last. Being an auth callable, it keeps requests from looking into .netrc, also when it is empty."""

    def __init__(self, key: tuple[str, str] | None) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._key:
            request.headers[self._key[0]] = self._key[1]
        return request


class _CountedBody:
    """A request body that counts the bytes that are sent, and stops when the call is cancelled."""

    def __init__(self, body: Any, hooks: TransferHooks) -> None:
        self._body, self._hooks = body, hooks
        self.sent = 0
        self.complete = False

    def __len__(self) -> int:
        return len(self._body)

    def __iter__(self) -> Iterator[bytes | memoryview]:
        self.sent, self.complete = 0, False
        total = len(self._body)
        for piece in self._body:
            if self._hooks.is_cancelled():
                raise Cancelled
            if self.sent + len(piece) >= total:
                self._hooks.on_last_byte()
                self.complete = True
            yield piece
            self.sent += len(piece)
            self._hooks.on_sent(self.sent, total)


def _secret_of(key: tuple[str, str] | None) -> str:
    """The part of a credential that is taken out of an answer: some servers repeat what they were sent."""
    secret = key[1].rpartition(" ")[2] if key else ""
    return secret if len(secret) >= _SECRET_LENGTH else ""


def _reply(response: requests.Response, data: bytes, secret: str = "") -> Reply:
    headers = {name.lower(): value for name, value in response.headers.items()}
    if secret:
        # As in the body, so that no message, id or log line has the key in it.
        headers = {name: value.replace(secret, "...") for name, value in headers.items()}
    request_id = next(
        (headers[name] for name in ("x-request-id", "request-id", "x-fal-request-id", "cf-ray") if name in headers), ""
    )
    return Reply(response.status_code, headers, data, redact(request_id, 80))


def _bytes_sent(error: BaseException, counted: _CountedBody | None) -> BytesSent:
    """How much of a request had been sent when `error` was raised."""
    if counted is not None and (counted.sent or counted.complete):
        # Whatever failed: sent bytes can't be taken back. TLS can fail while the answer is read, too.
        return "all" if counted.complete else "partial"
    if counted is not None or never_arrived(error) or isinstance(error, requests.exceptions.ProxyError):
        return "none"
    return "all"
