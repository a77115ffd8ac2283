"""Keeps files in an S3 bucket, through the package obstore. Messages never have what the server or the package says: both may
repeat the key.

obstore's errors: FileNotFoundError for a 404, else subclasses of its BaseError, with the HTTP status in their text.
https://developmentseed.org/obstore/latest/api/exceptions/
"""

from __future__ import annotations

import errno
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from ...errors import LedgerFailed, ResultsAway
from ...errors.messages import msg
from ...files.regular_files import NotReadable
from .bucket_address import BucketAddress
from .object_store import ObjectStore

_T = TypeVar("_T")
_CHECK_KEY = "writable"
_CHECK_SECONDS = 5.0
"""For so long the bucket counts as reachable after it has answered."""
_REFUSE_SECONDS = 2.0
"""For so long after a failure nothing else asks the bucket."""
_QUICK_SECONDS, _LONG_SECONDS = 10, 60
"""How long a request may take: one about a file, and one that moves a file."""
_SMALL_BYTES = 1 << 20
_CONNECT_SECONDS = 3
_AT_ONCE = 16
"""Requests in parallel."""
_RETRIES = {"max_retries": 2, "retry_timeout": timedelta(seconds=8), "backoff": {"max_backoff": timedelta(seconds=1)}}
_PANIC = "PanicException"
"""What obstore raises after a bug of its own; it is no Exception, and would end the thread.
https://docs.rs/pyo3/latest/pyo3/panic/struct.PanicException.html"""
_NAME = re.compile(r"[\w-][\w.-]*", re.ASCII)
"""What a file of ours may be called. Others may be able to write objects, and a cache makes a path of each name: on Windows
with a backslash, too."""
_FIRST = "0"
"""No name of ours comes before it; what others may have put into a folder with an empty name does."""
_STATUS = re.compile(r"status code: (\d{3})")
_NO_CREDENTIALS = ("169.254.169.254", "MissingAccessKeyId", "MissingSecretAccessKey", "Missing SecretAccessKey")
"""Where there are none, obstore asks the machine that a cloud's worker gets them from."""

_OTHER_REGION = ("AuthorizationHeaderMalformed", "PermanentRedirect", "incorrectly configured region")
"""https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, and obstore's words for a redirect to nowhere."""


class S3Store(ObjectStore):
    """One bucket, or a folder in it."""

    def __init__(self, address: BucketAddress) -> None:
        self.address = address
        self._opening = threading.Lock()
        self._clients: tuple[Any, Any] | None = None
        self._has_written, self._answered = False, float("-inf")
        self._failed_at, self._failure = float("-inf"), ""

    def check(self) -> None:
        if self._has_written and time.monotonic() < self._answered + _CHECK_SECONDS:
            return
        # Who may only read would find out after the picture is paid. A bucket that is gone looks like an empty one.
        if not self._has_written or not self.exists(_CHECK_KEY):
            self.put(_CHECK_KEY, b"")
            self._has_written = True

    def put(self, key: str, data: bytes) -> None:
        def put(obstore: Any, quick: Any, long: Any) -> None:
            # A small file may be written while others wait for the journal or for the lock of the cache.
            obstore.put(quick if len(data) < _SMALL_BYTES else long, key, data, use_multipart=False)

        try:
            self._ask(put)
        except FileNotFoundError:
            raise self._failed(msg("s3_store.answered_with_status", status=404)) from None

    def get(self, key: str, most: int) -> bytes:
        def get(obstore: Any, quick: Any, long: Any) -> bytes:
            found = obstore.get(long, key)
            if found.meta["size"] > most:
                raise NotReadable(msg("regular_files.file_too_long", most=most))
            return bytes(found.bytes())

        return self._ask(get)

    def exists(self, key: str) -> bool:
        try:
            self._ask(lambda obstore, quick, long: obstore.head(quick, key))
        except FileNotFoundError:
            return False
        return True

    def existing(self, keys: Iterable[str]) -> set[str]:
        wanted = list(dict.fromkeys(keys))
        if len(wanted) < 2:
            return {key for key in wanted if self.exists(key)}

        return set(self._ask_together(wanted, lambda obstore, quick, key: obstore.head(quick, key)))

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return self._ask_together(keys, lambda obstore, quick, key: bytes(obstore.get(quick, key).bytes()))

    def list_in(self, folder: str, beginning: str = "") -> dict[str, int]:
        start = f"{folder}/{beginning}"

        def ask(obstore: Any, quick: Any, long: Any) -> dict[str, int]:
            listed: dict[str, int] = {}
            # A prefix ends at a slash, so the names are passed over until the first that may begin so.
            for each in _listed(obstore, quick, folder, start if beginning else f"{folder}/{_FIRST}"):
                if not each["path"].startswith(start):
                    if each["path"] > start:
                        return listed
                    continue
                if _NAME.fullmatch(each["path"][len(folder) + 1 :]):
                    listed[each["path"]] = int(each["size"])
            return listed

        return self._ask(ask)

    def folders(self) -> list[str]:
        def ask(obstore: Any, quick: Any, long: Any) -> list[str]:
            try:
                return sorted(str(each).strip("/") for each in obstore.list_with_delimiter(quick)["common_prefixes"])
            except obstore.exceptions.InvalidPathError:
                return _possible_folders()

        return self._ask(ask)

    def delete(self, keys: Iterable[str]) -> None:
        listed = list(keys)
        if listed:
            self._ask(lambda obstore, quick, long: obstore.delete(quick, listed))

    # ------------------------------------------------------------------------------------------------ inside

    def _ask(self, request: Callable[[Any, Any, Any], _T]) -> _T:
        """What `request` gives, which gets the package and two clients, for quick and for long requests.

        Raises FileNotFoundError, NotReadable, and ResultsAway for all else.
        """
        if time.monotonic() < self._failed_at + _REFUSE_SECONDS:
            raise self._away(self._failure)
        obstore = self._package()
        try:
            found = request(obstore, *self._clients_of(obstore))
        except NotReadable:
            raise
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise self._failed(msg("s3_store.no_such_bucket")) from None
            # Its text has the address; without `from None` it would come along.
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from None
        except (OSError, ValueError, obstore.exceptions.BaseError) as error:
            raise self._failed(_reason(error)) from None
        except BaseException as error:
            if type(error).__name__ != _PANIC:
                raise
            raise self._failed(_reason(error)) from None
        self._answered, self._failed_at = time.monotonic(), float("-inf")
        return found

    def _ask_together(self, keys: Sequence[str], request: Callable[[Any, Any, str], _T]) -> dict[str, _T]:
        """What `request` gives for each of the keys, without those that aren't there; it gets the package and a client."""

        def ask(obstore: Any, quick: Any, long: Any) -> dict[str, _T]:
            found: dict[str, _T] = {}
            answers = _in_parallel([partial(request, obstore, quick, key) for key in keys])
            for key, each in zip(keys, answers, strict=True):
                if not isinstance(each, BaseException):
                    found[key] = each
                elif not isinstance(each, FileNotFoundError):
                    raise each
            return found

        return self._ask(ask)

    def _package(self) -> Any:
        try:
            import obstore
            import obstore.exceptions
            import obstore.store
        except ImportError:
            raise LedgerFailed(
                msg("s3_store.package_missing", bucket=self.address.place),
                cure=msg("s3_store.install_package", command="pip install obstore"),
            ) from None
        return obstore

    def _clients_of(self, obstore: Any) -> tuple[Any, Any]:
        """For quick and for long requests. Raises the package's errors."""
        with self._opening:
            if self._clients is None:
                kind = obstore.store.S3Store
                self._clients = self._client(kind, _QUICK_SECONDS), self._client(kind, _LONG_SECONDS)
            return self._clients

    def _client(self, kind: Any, seconds: int) -> Any:
        address = self.address
        options = dict(address.options) | ({"aws_endpoint": address.endpoint} if address.endpoint else {})
        plain = address.endpoint.lower().startswith("http://")
        limits = {"timeout": f"{seconds}s", "connect_timeout": f"{_CONNECT_SECONDS}s", "allow_http": plain}
        return kind(
            address.bucket,
            prefix=address.prefix or None,
            config=options,
            client_options=limits,
            retry_config=_RETRIES,
        )

    def _failed(self, reason: str) -> ResultsAway:
        self._failed_at, self._answered, self._failure = time.monotonic(), float("-inf"), reason
        self._has_written = False
        return self._away(reason)

    def _away(self, reason: str) -> ResultsAway:
        return ResultsAway(
            msg("s3_store.bucket_away", bucket=self.address.shown, why=reason),
            money=msg("s3_store.under_way_is_kept"),
            cure=msg("s3_store.nothing_sent_until_back"),
        )


def _listed(obstore: Any, client: Any, folder: str, after: str) -> Iterator[Any]:
    """The objects in a folder whose keys come after `after`.

    One key with an empty part, or with a part that is no name, makes obstore give up the page that it is on. The second
    list has none of those that are deeper. https://docs.rs/object_store/latest/object_store/path/struct.Path.html
    """
    try:
        for chunk in obstore.list(client, folder, offset=after, chunk_size=1000):
            yield from chunk
    except obstore.exceptions.InvalidPathError:
        yield from (each for each in obstore.list_with_delimiter(client, folder)["objects"] if each["path"] > after)


def _possible_folders() -> list[str]:
    """The folders that pictures may be in, where another one has no name."""
    return [f"{number:02x}" for number in range(256)]


def _in_parallel(requests: Sequence[Callable[[], _T]]) -> list[_T | BaseException]:
    """What each request gives, or the exception that it raises, in their order.

    In threads: what coroutines of obstore leave behind may abort the interpreter when it ends (2 of 40 processes, 0.12.1).
    """
    found: dict[int, _T | BaseException] = {}
    waiting, taking = iter(enumerate(requests)), threading.Lock()

    def work() -> None:
        while True:
            with taking:
                index, request = next(waiting, (0, None))
            if request is None:
                return
            try:
                found[index] = request()
            except BaseException as error:
                found[index] = error

    count = min(_AT_ONCE, len(requests))
    threads = [threading.Thread(target=work, name="nano_banana bucket", daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[index] for index in range(len(requests))]


def _reason(error: BaseException) -> str:
    """What went wrong, in own words."""
    text = str(error)
    status = _STATUS.search(text)
    if any(each in text for each in _NO_CREDENTIALS):
        return msg("s3_store.no_credentials")
    if "NoSuchBucket" in text:
        return msg("s3_store.no_such_bucket")
    if "RequestTimeTooSkewed" in text:
        return msg("s3_store.clock_is_wrong")
    if any(each in text for each in _OTHER_REGION):
        return msg("s3_store.other_region")
    if "invalid path" in text:
        return msg("s3_store.odd_name")
    if type(error).__name__ in ("PermissionDeniedError", "UnauthenticatedError"):
        return msg("s3_store.access_denied")
    if status:
        return msg("s3_store.answered_with_status", status=status[1])
    return msg("s3_store.does_not_answer")
