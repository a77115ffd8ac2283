"""References whose files are on a disk that fails: what was paid is kept, and what was not sent is said to cost nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dialect_driver import QUICK_SPECS, keyed, request, tiny
from long_rows import first
from pack.core.engine import Engine
from pack.core.errors import ConfigError
from pack.core.execution.run import Run
from pack.core.http.transport import Transport
from pack.core.images import file_data, picture
from pack.core.images.file_data import DiskBytes, FileData
from pack.core.planning.choice import ProviderChoice
from pack.tests.doubles.server import Doubles

PROVIDERS = [name for name in QUICK_SPECS if name not in ("offline", "vertex", "nanobanana")]
EACH = pytest.mark.parametrize("provider", first(4, PROVIDERS))


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> list[DiskBytes]:
    """The files on disk: those of 64 KB and more."""
    made: list[DiskBytes] = []
    stored = picture.stored

    def storing(data: bytes) -> FileData:
        there = stored(data)
        assert isinstance(there, DiskBytes)
        made.append(there)
        return there

    monkeypatch.setattr(file_data, "MOST_IN_MEMORY", 64 << 10)
    monkeypatch.setattr(picture, "stored", storing)
    return made


def truncate(files: list[DiskBytes], size: int) -> None:
    for file in files:
        os.ftruncate(file._file.fileno(), size)


def run_of(doubles: Doubles, home: Path, provider: str, prompt: str) -> Run:
    engine = Engine(home, specs=QUICK_SPECS, environ=keyed(doubles, *PROVIDERS))
    asked = [replace(request("edit", 0, prompt=prompt), references=(tiny(1, 700, 400), tiny(2, 600, 500)))]
    run = engine.run(asked, engine.plan(ProviderChoice(provider, "recommended"), asked))
    assert run.done.wait(60)
    if run.error is not None:
        raise run.error
    return run


@pytest.fixture
def after_paid_send(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """What happens as soon as the paid request was answered."""
    wanted: list[Callable[[], None]] = []
    send = Transport.send

    def sending(self: Transport, method: str, url: str, **options: Any) -> Any:
        reply = send(self, method, url, **options)
        if options.get("fresh"):
            for do in wanted:
                do()
        return reply

    monkeypatch.setattr(Transport, "send", sending)
    return wanted


@EACH
def test_a_paid_picture_is_kept_when_the_disk_fails_after_the_request_was_sent(
    doubles: Doubles,
    tmp_path: Path,
    provider: str,
    files: list[DiskBytes],
    after_paid_send: list[Callable[[], None]],
) -> None:
    doubles.reset()
    after_paid_send.append(lambda: truncate(files, 0))
    run = run_of(doubles, tmp_path, provider, "late")
    assert files and run.tasks[0].result, run.tasks[0].error
    assert doubles.request_log("late")["paid_images"] == 1


@EACH
def test_a_disk_that_fails_before_the_request_has_left_costs_nothing(
    doubles: Doubles, tmp_path: Path, provider: str, files: list[DiskBytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no fault of the network, the provider or the pack, and the next run sends it."""
    doubles.reset()
    with monkeypatch.context() as patch:
        stored = picture.stored

        def storing(data: bytes) -> FileData:
            there = stored(data)
            truncate(files[-1:], len(data) // 2)
            return there

        patch.setattr(picture, "stored", storing)
        error = run_of(doubles, tmp_path, provider, "early").tasks[0].error
    assert isinstance(error, ConfigError) and error.charged == "no", repr(error)
    assert "temporary file" in error.message and "Nothing was charged" in error.message, error.message
    assert run_of(doubles, tmp_path, provider, "early").tasks[0].result
    assert doubles.request_log("early")["paid_images"] == 1
