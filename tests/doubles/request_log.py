"""What was asked: requests as received, what would have been billed, and waiting for either.

Keeps no picture and no key: references are a hash and a size, an Authorization header is only its form. Written by
`router.py` and `generation.py`; read by tests through the control routes and `Doubles.request_log`.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from typing import Any

KEPT = 20_000
"""Requests and free calls remembered, each; the sums go on counting."""

SECRET_HEADERS = ("x-api-key", "x-goog-api-key", "cookie", "proxy-authorization")


def authorization_form(value: str) -> str:
    """What the log shows of an Authorization header: its scheme and four characters."""
    scheme, space, rest = value.partition(" ")
    return f"{scheme.lower()} {rest[:4]}…" if space else "raw"


@dataclass
class Record:
    """One request to a route that costs money."""

    id: int
    at: float
    provider: str
    route: str
    method: str
    query: str
    headers: dict[str, str]
    route_name: str = ""
    prompt: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    references: list[dict[str, Any]] = field(default_factory=list)
    outcome: int | str | None = None
    paid: int = 0
    cost_usd: float = 0.0
    finished_upload_at: float | None = None
    answered_at: float | None = None

    def shown(self) -> dict[str, Any]:
        """As JSON values."""
        return dict(vars(self))


class RequestLog:
    """Thread-safe; times are `time.monotonic()` seconds of this process."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._records: deque[Record] = deque(maxlen=KEPT)
        self._free: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._numbers = count(1)

    def open(self, provider: str, route: str, method: str, query: str, headers: dict[str, str], at: float) -> Record:
        """Add a request whose head has been read."""
        shown = {}
        for name, value in headers.items():
            low = name.lower()
            if low == "authorization":
                value = authorization_form(value)
            elif low in SECRET_HEADERS:
                value = "present"
            shown[low] = value
        record = Record(next(self._numbers), at, provider, route, method, query, shown)
        with self._changed:
            self._records.append(record)
        return record

    def received(self, record: Record, prompt: str, fields: dict[str, Any]) -> None:
        """Note that the whole body has arrived."""
        with self._changed:
            record.prompt = prompt
            record.fields = fields
            record.finished_upload_at = time.monotonic()
            self._changed.notify_all()

    def bill(self, record: Record, images: int, cost_usd: float) -> None:
        """The request is accepted and would have cost this much."""
        with self._changed:
            record.paid = images
            record.cost_usd = round(cost_usd, 6)
            self._changed.notify_all()

    def answered(self, record: Record) -> None:
        """The reply is out, or the connection was dropped on purpose."""
        with self._changed:
            record.answered_at = time.monotonic()
            self._changed.notify_all()

    def free(self, provider: str, kind: str, method: str, path: str, status: int | str, authorization: str) -> None:
        """Add a call that costs nothing."""
        with self._changed:
            self._free.append(
                {
                    "at": time.monotonic(),
                    "provider": provider,
                    "kind": kind,
                    "method": method,
                    "path": path,
                    "outcome": status,
                    "authorization": authorization,
                }
            )
            self._changed.notify_all()

    def show(self, prompt: str = "", provider: str = "") -> dict[str, Any]:
        """Sums and records; `prompt` is a piece of the prompt, `provider` an id, empty means all."""
        with self._changed:
            records = [r.shown() for r in self._records if prompt in r.prompt and provider in ("", r.provider)]
            free = [call for call in self._free if provider in ("", call["provider"])]
        return {
            "paid_calls": sum(1 for record in records if record["paid"]),
            "paid_images": sum(record["paid"] for record in records),
            "cost_usd": round(sum(record["cost_usd"] for record in records), 6),
            "requests": records,
            "free": free,
        }

    def wait(self, provider: str, prompt: str, state: str, wanted: int, timeout: float) -> int:
        """Wait until `wanted` matching requests are `received` or `answered`; returns how many are."""

        def reached() -> int:
            return sum(
                1
                for r in self._records
                if prompt in r.prompt
                and provider in ("", r.provider)
                and (r.finished_upload_at if state == "received" else r.answered_at) is not None
            )

        with self._changed:
            self._changed.wait_for(lambda: reached() >= wanted, timeout)
            return reached()

    def reset(self) -> None:
        """Forget everything."""
        with self._changed:
            self._records.clear()
            self._free.clear()
            self._changed.notify_all()
