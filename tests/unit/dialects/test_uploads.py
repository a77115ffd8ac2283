"""References that don't fit into a request: uploaded where the provider wants them, with the key where it may go."""

from __future__ import annotations

import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from dialect_driver import job, request, tiny
from long_rows import first
from pack.core.dialects.base.uploads import known_urls, largest_to_upload, reference_values
from pack.core.engine import Engine
from pack.core.execution import call_status
from pack.core.http.body import Base64, Inline
from pack.core.http.connections import UnsafeAddress
from pack.core.http.transport import Transport
from pack.core.planning.choice import ProviderChoice
from pack.core.providers import BUILT_IN
from pack.core.providers.spec import ProviderSpec
from pack.core.request import Request
from pack.tests.doubles.server import Doubles


def edit(doubles: Doubles, home: Path, spec: ProviderSpec, prompt: str, **environ: str) -> Any:
    """An edit of three pictures; the run, ended."""
    specs = {spec.id: replace(spec, poll_seconds=(0.02, 0.05))}
    engine = Engine(home, specs=specs, environ=environ)
    asked = replace(request("edit", 0, prompt=prompt), references=tuple(tiny(n, 40 + 30 * n, 50) for n in range(3)))
    run = engine.run([asked], engine.plan(ProviderChoice(spec.id, "nano-banana-2"), [asked]))
    assert run.done.wait(20) and run.error is None
    assert run.tasks[0].result, run.tasks[0].error
    return run


def arrived(doubles: Doubles, prompt: str) -> list[tuple[str, str]]:
    """How each reference of the request came, and its pixels."""
    (entry,) = doubles.request_log(prompt)["requests"]
    return [(reference["encoding"], reference["sha256_pixels"]) for reference in entry["references"]]


PIXELS = [sha256(tiny(n, 40 + 30 * n, 50)._load().tobytes()).hexdigest() for n in range(3)]


@pytest.mark.parametrize(("above", "ways"), [(1, ["url"] * 3), (13_000, ["data_uri", "data_uri", "url"])])
@pytest.mark.parametrize("provider", ["fal", "replicate"])
def test_references_arrive_as_their_pixels_and_in_order(
    doubles: Doubles, tmp_path: Path, provider: str, above: int, ways: list[str]
) -> None:
    """All uploaded, or only the largest; free, and the same pixels at the same places."""
    doubles.reset()
    spec = replace(BUILT_IN[provider], upload_above=_above(provider, above))
    name = f"NANO_BANANA_{provider.upper()}"
    there = {f"{name}_API_KEY": "sim-run", f"{name}_BASE_URL": doubles.base_url(provider)}
    edit(doubles, tmp_path, spec, f"pixels {provider} {above}", **there)
    assert arrived(doubles, f"pixels {provider} {above}") == list(zip(ways, PIXELS, strict=True))


def _above(provider: str, above: int) -> int:
    """1, or what the two smaller pictures fill as this provider reads them."""
    if above == 1:
        return 1
    asked = replace(request("edit", 0), references=tuple(tiny(n, 40 + 30 * n, 50) for n in range(3)))
    return sum(len(Base64(picture.data)) for picture in job(BUILT_IN[provider], asked, "nano-banana-2").references[:2])


def test_the_second_origin_of_a_provider_gets_the_key_too(doubles: Doubles, tmp_path: Path) -> None:
    """fal's storage is at another address than its queue: announced there with the key, and never otherwise."""
    doubles.reset()
    home, away = doubles.base_url("fal"), doubles.base_url("fal").replace("127.0.0.1", "localhost")
    spec = replace(BUILT_IN["fal"], upload_above=1, base_url=home, upload_url=away)
    edit(doubles, tmp_path, spec, "second origin", FAL_KEY="sim-run")
    ways = {
        (entry["method"], entry["authorization"])
        for entry in doubles.request_log()["free"]
        if entry["kind"] == "upload"
    }
    assert ways == {("POST", "key sim-…"), ("PUT", "")}


def test_a_key_for_another_address_never_goes_to_the_provider_s_own_storage(doubles: Doubles, tmp_path: Path) -> None:
    """Where the user has named an address, everything goes there; the storage that the spec names would not even answer."""
    doubles.reset()
    spec = replace(BUILT_IN["fal"], upload_above=1, upload_url="http://127.0.0.1:1")
    there = {"FAL_KEY": "sim-run", "NANO_BANANA_FAL_BASE_URL": doubles.base_url("fal")}
    edit(doubles, tmp_path, spec, "named address", **there)
    assert sum(entry["kind"] == "upload" for entry in doubles.request_log()["free"]) == 6


def test_a_key_goes_to_no_third_origin() -> None:
    """Two are known; the same host at another port is a third."""
    way = Transport("http://127.0.0.1:9/fal", uploads="http://localhost:9")
    for url in ("http://127.0.0.1:10/x", "http://localhost:10/x", "https://localhost:9/x"):
        with pytest.raises(UnsafeAddress):
            way.send("POST", url, headers={}, key=("Authorization", "Key k"), deadline=time.monotonic() + 5)


# --------------------------------------------------------------------------------------------------- which ones


def sized(*sizes: int, above: int, uploaded: dict[int, str] | None = None) -> Any:
    work = job(replace(BUILT_IN["fal"], upload_above=above), request("edit", len(sizes)), uploaded=uploaded)
    pictures = [replace(one, data=b"x" * size) for one, size in zip(work.references, sizes, strict=True)]
    return replace(work, references=tuple(pictures))


@pytest.mark.parametrize(
    ("sizes", "above", "uploads"),
    [
        ((30, 30), 80, []),
        ((30, 30), 79, [0]),
        ((30, 90, 60), 10_000, []),
        ((30, 90, 60), 200, [1]),
        ((30, 90, 60), 119, [1, 2]),
        ((30, 90, 60), 1, [1, 2, 0]),
    ],
)
def test_the_largest_are_uploaded_until_the_rest_fits(sizes: tuple[int, ...], above: int, uploads: list[int]) -> None:
    """Counted as they travel: base64 is a third longer."""
    work = sized(*sizes, above=above)
    addresses, done = known_urls(work), []
    while (index := largest_to_upload(work, addresses)) is not None:
        done.append(index)
        addresses[index] = f"https://f.example/{index}"
    assert done == uploads
    assert [isinstance(one, Inline) for one in reference_values(work, addresses)] == [
        n not in uploads for n in range(len(sizes))
    ]


def test_what_was_uploaded_earlier_takes_no_room() -> None:
    work = sized(90, 30, above=40, uploaded={0: "https://f.example/0"})
    assert largest_to_upload(work, known_urls(work)) is None


@pytest.mark.parametrize("like", ["fal", "replicate"])
def test_a_reseller_of_their_dialect_gets_the_pictures_inside_the_request(
    like: str, doubles: Doubles, tmp_path: Path
) -> None:
    """It need not have the uploads of the provider that it is like."""
    doubles.reset()
    auth = "key" if like == "fal" else "bearer"
    facts = f"{{like: {like}, base_url: {doubles.base_url(like)}, auth: {auth}, models: {{nano-banana-2: {{}}}}}}"
    (tmp_path / "providers.yaml").write_text(f"providers:\n  reseller: {facts}\n")
    spec = Engine(tmp_path, environ={}).specs()["reseller"]
    edit(doubles, tmp_path, spec, f"reseller {like}", NANO_BANANA_RESELLER_API_KEY="sim-run")
    assert arrived(doubles, f"reseller {like}") == [("data_uri", pixels) for pixels in PIXELS]


def test_an_upload_over_a_slow_line_has_the_time_that_it_takes_there(
    doubles: Doubles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Patience alone would end it after its last byte, and begin it again and again."""
    doubles.reset()
    deadlines: list[float] = []
    real = Transport.send

    def watched(self: Transport, method: str, url: str, **more: Any) -> Any:
        if more.get("body") is not None and url.endswith("/v1/files"):
            deadlines.append(more["deadline"] - time.monotonic() - len(more["body"]) / call_status.SLOW_BYTES)
        return real(self, method, url, **more)

    monkeypatch.setattr(Transport, "send", watched)
    monkeypatch.setattr(call_status, "SLOW_BYTES", 10)
    spec = replace(BUILT_IN["replicate"], upload_above=1, base_url=doubles.base_url("replicate"))
    edit(doubles, tmp_path, spec, "slow line", REPLICATE_API_TOKEN="sim-run")
    assert deadlines == [pytest.approx(call_status.FREE_SECONDS, abs=1.0)] * 3


@pytest.mark.parametrize("provider", first(2, ["kie", "fal", "wavespeed", "apiframe_v2", "runflow", "replicate"]))
def test_where_uploaded_references_lie_is_told_once_in_a_process(
    doubles: Doubles, tmp_path: Path, provider: str
) -> None:
    """With the first upload, in the provider's name; not for the next run, nor for a request without references."""
    doubles.reset()
    spec = replace(BUILT_IN[provider], poll_seconds=(0.02, 0.05), upload_above=min(BUILT_IN[provider].upload_above, 1))
    name = f"NANO_BANANA_{provider.upper()}"
    environ = {f"{name}_API_KEY": "sim-run", f"{name}_BASE_URL": doubles.base_url(provider)}
    engine = Engine(tmp_path, specs={provider: spec}, environ=environ)

    def notices(asked: Request) -> list[str]:
        run = engine.run([asked], engine.plan(ProviderChoice(provider, "nano-banana-2"), [asked]))
        assert run.done.wait(20) and run.error is None and run.tasks[0].result, run.tasks[0].error
        return [notice for notice in run.report.notices if spec.stores_references in notice]

    assert notices(request(prompt="nothing is uploaded")) == []
    (message,) = notices(request("edit", 2, prompt="first"))
    assert spec.label in message
    assert notices(replace(request("edit", 0, prompt="second"), references=(tiny(77),))) == []


def test_nothing_is_told_where_references_travel_in_the_request(doubles: Doubles, tmp_path: Path) -> None:
    """fal, below the size from which it wants uploads."""
    doubles.reset()
    there = {"NANO_BANANA_FAL_API_KEY": "sim-run", "NANO_BANANA_FAL_BASE_URL": doubles.base_url("fal")}
    run = edit(doubles, tmp_path, BUILT_IN["fal"], "inside", **there)
    assert not [notice for notice in run.report.notices if "uploaded" in notice]
