"""Sends what a vendor's client addresses to its own hosts to a double on this machine instead, below the client.

For clients whose addresses are fixed: the client builds, signs and reads everything as it does for the real host. An
address that belongs to neither a named host nor this machine is refused, so that no test can reach a network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx
import pytest


@dataclass
class Seen:
    """The requests that a client has sent, with the addresses that it named."""

    requests: list[httpx.Request] = field(default_factory=list)

    def to(self, host: str) -> list[httpx.Request]:
        """Those to one host, in order."""
        return [request for request in self.requests if request.url.host == host]


def reroute(monkeypatch: pytest.MonkeyPatch, hosts: Mapping[str, str]) -> Seen:
    """Leads httpx from each host to the address of its double, for the length of a test."""
    real = httpx.HTTPTransport.handle_request
    seen = Seen()

    def handle_request(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        seen.requests.append(request)
        if request.url.host == "127.0.0.1":
            return real(self, request)
        base = httpx.URL(hosts[request.url.host])
        headers = request.headers.copy()
        headers["Host"] = base.netloc.decode("ascii")
        url = base.copy_with(raw_path=base.raw_path.rstrip(b"/") + request.url.raw_path)
        return real(
            self,
            httpx.Request(request.method, url, headers=headers, stream=request.stream, extensions=request.extensions),
        )

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", handle_request)
    return seen
