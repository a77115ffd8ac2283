"""A host as its own page asks it: the pack's routes over a real socket."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pack.tests.host.kit import Bench

ROOT = "/nano_banana"


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    data: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        return json.loads(self.data)

    @property
    def error(self) -> str:
        """The words of a refusal, its cure included."""
        found = self.json["error"]
        return f"{found['what']} {found['cure']}"


class Page:
    """A host as its own page asks it."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.host, self.doubles = bench, bench.host, bench.doubles

    def ask(self, method: str, path: str, body: Any = None, root: str = ROOT, **headers: str) -> Answer:
        """`body` as JSON, or bytes as they are; further headers with _ for -."""
        connection = http.client.HTTPConnection("127.0.0.1", self.host.port, timeout=300)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        try:
            connection.request(method, root + path, data, sent)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def good(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.ask(method, path, body)
        assert answer.status == 200, answer.data[:500]
        return answer.json

    def provider(self, name: str) -> dict[str, Any]:
        (found,) = [each for each in self.good("GET", "/providers")["providers"] if each["id"] == name]
        assert isinstance(found, dict)
        return found

    def key(self, name: str, profile: str = "default") -> dict[str, Any]:
        (found,) = [each for each in self.provider(name)["keys"] if each["profile"] == profile]
        assert isinstance(found, dict)
        return found

    def at(self, name: str, url: str | None, key: str | None = None) -> None:
        """Gives a provider an address and, with it, a key."""
        self.good("PUT", f"/providers/{name}", {"base_url": url})
        if key is not None:
            assert "key" not in self.good("PUT", f"/keys/{name}/default", {"key": key})

    def pictures(self, query: str, **more: str) -> list[dict[str, Any]]:
        rest = "".join(f"&{name}={value}" for name, value in more.items())
        found: list[dict[str, Any]] = self.good("GET", f"/results?query={quote(query)}{rest}")["results"]
        return found

    @property
    def home(self) -> Path:
        assert self.host.home is not None
        return self.host.home


@contextmanager
def own_provider(bench: Bench, name: str, base_url: str, dialect: str) -> Iterator[str]:
    """A provider that is added to a running host, with a key, and is removed at the end."""
    page = Page(bench)
    page.good("PUT", f"/providers/{name}", {"label": name, "base_url": base_url, "dialect": dialect})
    page.good("PUT", f"/keys/{name}/default", {"key": "sim-test"})
    yield name
    page.good("DELETE", f"/providers/{name}")
