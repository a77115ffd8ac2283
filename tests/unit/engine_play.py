"""Plays what a provider answers through the whole engine, with a journal on disk, and looks at the error that comes of it."""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dialect_driver import PNG, QUICK_SPECS, request
from pack.core.engine import Engine
from pack.core.errors import NanoBananaError
from pack.core.execution.run import Run
from pack.core.planning.choice import ProviderChoice
from pack.core.request import Request
from pack.tests.reply_server import ReplyServer

B64 = base64.b64encode(PNG).decode()
GEMINI_IMAGE = {
    "candidates": [
        {
            "content": {"role": "model", "parts": [{"inlineData": {"mimeType": "image/png", "data": B64}}]},
            "finishReason": "STOP",
        }
    ]
}
IMAGE = {"created": 1, "data": [{"b64_json": B64}]}


def engine_at(home: Path, provider: str, url: str, **more: str) -> Engine:
    """A machine with a key for `provider`, which is at `url`."""
    name = f"NANO_BANANA_{provider.upper()}"
    environ = {f"{name}_API_KEY": "key-of-mine-1", f"{name}_BASE_URL": url, **more}
    return Engine(home, specs=QUICK_SPECS, environ=environ)


def play(engine: Engine, provider: str, asked: Request | None = None, count: int = 1, parallel: int = 0) -> Run:
    """A run that is over."""
    wanted = [replace(asked or request(), num_images=count)]
    run = engine.run(wanted, engine.plan(ProviderChoice(provider, max_parallel=parallel), wanted))
    assert run.done.wait(60), "the run did not end"
    if run.error is not None:
        raise run.error
    return run


def error_of(run: Run) -> NanoBananaError:
    error = run.tasks[0].error
    assert error is not None, "it succeeded"
    return error


@contextlib.contextmanager
def answering(*replies: dict[str, Any], files: Mapping[str, bytes] | None = None) -> Iterator[ReplyServer]:
    server = ReplyServer(replies, files)
    try:
        yield server
    finally:
        server.close()


def assert_said(pattern: str, text: str) -> None:
    assert re.search(pattern, text), f"{pattern!r} is not in {text!r}"


def assert_unsaid(pattern: str, text: str) -> None:
    assert not re.search(pattern, text), f"{pattern!r} is in {text!r}"
