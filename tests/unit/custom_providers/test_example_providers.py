"""The providers of the examples through the whole engine: key, address, body, answer and bill, each against its double."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dialect_driver import request
from long_rows import every_value
from pack.core.custom_providers.mapping_reader import FILE
from pack.core.engine import Engine
from pack.core.planning.choice import ProviderChoice
from pack.core.providers import BUILT_IN
from pack.tests.doubles import start
from pack.tests.doubles.resellers import DOUBLES
from pack.tests.doubles.server import Doubles

EXAMPLES = Path(__file__).resolve().parents[3] / "example_providers"


@pytest.fixture(scope="module")
def doubles() -> Iterator[Doubles]:
    with start() as running:
        for api in DOUBLES.values():
            running.mount(api)
        yield running


def examples(home: Path, doubles: Doubles) -> Engine:
    """All examples with a double in one file, at their doubles, each with its key in its own variable."""
    lines = ["providers:"]
    for path in sorted(EXAMPLES.glob("*.yaml")):
        text = path.read_text("utf-8")
        if any(f"\n  {name}:" in text for name in DOUBLES):
            lines.append(text.partition("\nproviders:\n")[2].partition("\noverlays:")[0])
    (home / FILE).write_text("\n".join(lines), "utf-8")
    environ = {f"NANO_BANANA_{name.upper()}_API_KEY": f"sim-{name}" for name in DOUBLES}
    environ |= {f"NANO_BANANA_{name.upper()}_BASE_URL": doubles.base_url(name) for name in DOUBLES}
    return Engine(home, environ=environ)


@pytest.mark.parametrize(("name", "operation"), every_value(list(DOUBLES), ["generate", "edit"]))
def test_an_example_makes_and_edits(doubles: Doubles, tmp_path: Path, name: str, operation: Any) -> None:
    """With its own header for the key, its own path and fields, and its own shape of the answer."""
    engine = examples(tmp_path, doubles)
    assert engine.providers_file().errors == () and set(DOUBLES) == set(engine.providers_file().specs)
    asked = [request(operation, 2 if operation == "edit" else 0, prompt=f"{name} {operation}")]
    run = engine.run(asked, engine.plan(ProviderChoice(name), asked))
    assert run.done.wait(60) and run.error is None and run.tasks[0].error is None, run.tasks[0].error
    (sent,) = doubles.request_log(f"{name} {operation}", name)["requests"]
    assert len(sent["references"]) == (2 if operation == "edit" else 0)


def test_comfy_router_is_asked_again_with_the_same_key_and_bills_once(doubles: Doubles, tmp_path: Path) -> None:
    """Its page: the same Idempotency-Key replays the result without a second charge."""
    engine = examples(tmp_path, doubles)
    asked = [request(prompt="again [[sim: drop=headers paid times=1]]")]
    run = engine.run(asked, engine.plan(ProviderChoice("comfy_router"), asked))
    assert run.done.wait(60) and run.tasks[0].error is None
    sent = doubles.request_log("again", "comfy_router")["requests"]
    assert len(sent) == 2 and len({each["headers"]["idempotency-key"] for each in sent}) == 1
    assert sum(each["cost_usd"] for each in sent) == pytest.approx(0.0336)


def test_a_refusal_of_comfy_router_is_told_in_its_own_words(doubles: Doubles, tmp_path: Path) -> None:
    engine = examples(tmp_path, doubles)
    asked = [request(prompt="poor [[sim: status=402]]")]
    run = engine.run(asked, engine.plan(ProviderChoice("comfy_router"), asked))
    assert run.done.wait(60)
    error = run.tasks[0].error
    assert error is not None and error.kind == "credit" and error.charged == "no"


def test_a_stream_of_grsai_that_ends_in_a_failure_is_a_failure(doubles: Doubles, tmp_path: Path) -> None:
    engine = examples(tmp_path, doubles)
    asked = [request(prompt="declined [[sim: refuse=200]]")]
    run = engine.run(asked, engine.plan(ProviderChoice("grsai"), asked))
    assert run.done.wait(60)
    error = run.tasks[0].error
    assert error is not None and "declined" in error.message and error.charged == "maybe"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_of_a_real_provider_says_where_its_facts_are_from(path: Path) -> None:
    """Each with a date, and with what is not known; and the README lists it."""
    text = path.read_text("utf-8")
    assert f"[{path.name}]({path.name})" in (EXAMPLES / "README.md").read_text("utf-8")
    specs = {spec for spec in DOUBLES if f"\n  {spec}:" in text}
    if specs:
        assert re.search(r"read on \d+ \w+ 2026", text) and "# Not known:" in text
    assert not re.search(r"(?i)\b(sk|comfyui)-[a-z0-9]{8}", text), "no key is in an example"


def test_every_double_has_its_example() -> None:
    found = set()
    for path in EXAMPLES.glob("*.yaml"):
        found |= {name for name in DOUBLES if f"\n  {name}:" in path.read_text("utf-8")}
    assert found == set(DOUBLES) and not found & set(BUILT_IN)
