"""References that are uploaded one by one leave while the later ones are still being encoded, and nothing else changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from dialect_driver import QUICK_SPECS, keyed, request, tiny
from pack.core.engine import Engine
from pack.core.execution.run import Run
from pack.core.http.transport import Transport
from pack.core.images import lazy_encoding, picture
from pack.core.images.picture import Picture
from pack.core.planning.choice import ProviderChoice
from pack.core.planning.references import encode_references
from pack.tests.doubles.server import Doubles

SECONDS = 20.0
COUNT = 8
UPLOADING = ("google", "kie", "apiframe_v2", "runflow", "wavespeed", "fal", "replicate")
EACH = pytest.mark.parametrize("provider", UPLOADING)
WIDTHS = [40 + 10 * number for number in range(COUNT)]


def pictures() -> tuple[Picture, ...]:
    return tuple(tiny(number, width, 50) for number, width in enumerate(WIDTHS))


@dataclass
class Line:
    """What happens, in order: pictures that were encoded, by their index, and requests."""

    events: list[Any] = field(default_factory=list)
    uploaded: threading.Event = field(default_factory=threading.Event)
    gates: dict[int, Callable[[], None]] = field(default_factory=dict)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    watched, save, send = Line(), picture.save, Transport.send

    def saving(source: Any, format_name: Any) -> bytes:
        index = WIDTHS.index(source.size[0])
        watched.gates.get(index, lambda: None)()
        data = save(source, format_name)
        watched.events.append(index)
        return data

    def sending(self: Transport, method: str, url: str, **options: Any) -> Any:
        reply = send(self, method, url, **options)
        watched.events.append("paid" if options.get("fresh") else "free")
        if not options.get("fresh") and options.get("body") is not None:
            watched.uploaded.set()
        return reply

    monkeypatch.setattr(lazy_encoding, "CORES", 2)
    monkeypatch.setattr(picture, "save", saving)
    monkeypatch.setattr(Transport, "send", sending)
    yield watched


def engine_of(doubles: Doubles, home: Path) -> Engine:
    doubles.reset()
    specs = {name: replace(spec, upload_above=min(spec.upload_above, 1)) for name, spec in QUICK_SPECS.items()}
    return Engine(home, specs=specs, environ=keyed(doubles, *UPLOADING))


def begin(engine: Engine, provider: str, prompt: str, seed: int = 1) -> Run:
    asked = [replace(request("edit", 0, prompt=prompt), references=pictures(), seed=seed)]
    return engine.run(asked, engine.plan(ProviderChoice(provider, "nano-banana-2"), asked))


def finished(run: Run) -> Run:
    assert run.done.wait(SECONDS) and run.error is None
    assert run.tasks[0].result, run.tasks[0].error
    return run


@EACH
def test_the_first_has_left_before_the_last_is_encoded(
    doubles: Doubles, tmp_path: Path, line: Line, provider: str
) -> None:
    """In its place, with its pixels: the last ones are encoded only once the first is at the provider."""

    def once_something_has_left() -> None:
        assert line.uploaded.wait(SECONDS), "nothing was uploaded before all references were encoded"

    line.gates = dict.fromkeys(range(3, COUNT), once_something_has_left)
    finished(begin(engine_of(doubles, tmp_path), provider, "ahead"))
    (entry,) = doubles.request_log("ahead")["requests"]
    wanted = [sha256(each._read().tobytes()).hexdigest() for each in pictures()]
    assert [reference["sha256_pixels"] for reference in entry["references"]] == wanted
    assert {reference["encoding"] for reference in entry["references"]} == {"url"}


@EACH
def test_all_are_encoded_before_anything_is_paid_also_what_is_uploaded_already(
    doubles: Doubles, tmp_path: Path, line: Line, provider: str
) -> None:
    """Once it is paid, the journal may not wait for the encoder."""
    engine = engine_of(doubles, tmp_path)
    finished(begin(engine, provider, "twice"))
    line.events.clear()
    finished(begin(engine, provider, "twice", seed=2))
    before = line.events[: line.events.index("paid")]
    assert sorted(each for each in before if isinstance(each, int)) == list(range(COUNT))
    assert len(doubles.request_log("twice")["requests"]) == 2


@EACH
def test_a_run_that_is_stopped_meanwhile_pays_nothing_and_encodes_nothing_more(
    doubles: Doubles, tmp_path: Path, line: Line, provider: str
) -> None:
    reached, leave = threading.Event(), threading.Event()

    def hold() -> None:
        reached.set()
        assert leave.wait(SECONDS)

    line.gates = {2: hold}
    run = begin(engine_of(doubles, tmp_path), provider, "stopped")
    assert reached.wait(SECONDS)
    summary = run.stop()
    (call,) = run.calls
    leave.set()
    assert call.done.wait(SECONDS) and run.done.wait(SECONDS)
    assert (summary.dropped, summary.pending, summary.unresolved) == (1, 0, 0) and call.charged == "no"
    assert not doubles.request_log("stopped")["requests"] and "paid" not in line.events
    assert COUNT - 1 not in line.events


@EACH
def test_one_that_cannot_be_encoded_costs_nothing(doubles: Doubles, tmp_path: Path, line: Line, provider: str) -> None:
    def full() -> None:
        raise MemoryError

    line.gates = {COUNT - 1: full}
    run = begin(engine_of(doubles, tmp_path), provider, "no memory")
    assert run.done.wait(SECONDS)
    error = run.tasks[0].error
    assert error is not None and error.charged == "no"
    assert "paid" not in line.events and not doubles.request_log("no memory")["requests"]


def test_the_fingerprint_and_the_store_know_nothing_of_it(doubles: Doubles, tmp_path: Path, line: Line) -> None:
    """What was paid while all references went inside is not paid again while they are uploaded."""
    doubles.reset()
    environ = keyed(doubles, *UPLOADING)
    inside = {**QUICK_SPECS, "google": replace(QUICK_SPECS["google"], upload_above=20_000_000)}
    finished(begin(Engine(tmp_path, specs=inside, environ=environ), "google", "same picture"))
    uploads = {**QUICK_SPECS, "google": replace(QUICK_SPECS["google"], upload_above=1)}
    again = finished(begin(Engine(tmp_path, specs=uploads, environ=environ), "google", "same picture"))
    assert not again.calls and len(doubles.request_log("same picture")["requests"]) == 1


@pytest.mark.parametrize(
    ("provider", "side", "channels", "is_lazy"),
    [
        ("google", 4096, 3, True),
        ("runflow", 2048, 3, True),
        ("runflow", 4096, 3, False),  # may take more than the 50 MB of one reference
        ("kie", 2048, 3, False),
        ("vertex", 512, 3, False),  # has no uploads
        ("onerouter", 512, 3, False),
    ],
)
def test_only_what_surely_fits_is_encoded_later(provider: str, side: int, channels: int, is_lazy: bool) -> None:
    """Else it may have to become a JPEG, or be refused, before anything leaves."""
    one = Picture(lambda: pytest.fail("encoded too early"), side, side, channels)
    spec = QUICK_SPECS[provider]
    if is_lazy:
        (file,), notices = encode_references([one], spec, lazily=True)
        assert not file.is_made and file.format == "webp" and notices == []
    else:
        with pytest.raises(pytest.fail.Exception):
            encode_references([one], spec, lazily=True)
    with pytest.raises(pytest.fail.Exception):
        encode_references([one], spec)
