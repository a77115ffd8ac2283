"""JSON of foreign files: the values that `json` gives, and none that would hold the interpreter."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from example_count import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from linear_time import assert_linear
from pack.core.ledger import interruptible_json, results, workflows
from pack.core.ledger.results import Results

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(VALUES, st.booleans())
def test_values_equal_those_of_the_json_module(monkeypatch: pytest.MonkeyPatch, value: Any, ascii_only: bool) -> None:
    """Read and written, with the same options."""
    monkeypatch.setattr(interruptible_json, "ONE_PASS_CHARACTERS", 0)
    options: dict[str, Any] = {"ensure_ascii": ascii_only, "sort_keys": True, "separators": (",", ":")}
    text = json.dumps(value, **options)
    assert interruptible_json.loads(text) == value and interruptible_json.dumps(value, **options) == text


@pytest.mark.long
@pytest.mark.parametrize(
    "text",
    [
        "[" + "[]," * interruptible_json.MAX_CONTAINERS + "0]",
        '{"a": ' + "1" * 400_000 + "}",
        "[" + " " * 4_000_000 + "]",
        "[" * 150_000 + " " * 200_000,
        '{"a": NaN' + " " * 300_000 + "}",
        '{"a": "' + "x" * 400_000,
    ],
    ids=["lists", "digits", "spaces", "deep", "NaN", "no end"],
)
def test_texts_above_the_limits_are_refused(text: str) -> None:
    """By an error that readers of files expect."""

    def refused(constant: str) -> Any:
        raise ValueError(constant)

    with pytest.raises((ValueError, RecursionError)):
        interruptible_json.loads(text, parse_constant=refused)


def test_the_time_grows_linearly_with_the_length() -> None:
    half, whole = (json.dumps([{"name": "a" * 20, "at": 1.5}] * count) for count in (20_000, 40_000))
    assert_linear(lambda text: interruptible_json.dumps(interruptible_json.loads(text)), half, whole, slack=0.01)


def test_a_sidecar_above_the_size_limit_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its picture stays where it is, and the log names the file."""
    monkeypatch.setattr(results, "SIDECAR_BYTES", 2000)
    folder = Results(tmp_path)
    name = folder.write_incoming("0" * 32, b"\x89PNG\r\n\x1a\n")
    folder.finalize("0" * 32, name)
    folder.write_sidecar(name, {"uid": "0" * 32, "prompt": "x" * 3000})
    with caplog.at_level(logging.WARNING, "nano_banana"):
        assert list(folder.walk()) == []
    assert name.partition(".")[0] in caplog.text and folder.path(name).exists()


def test_files_embedded_in_an_untrusted_graph_are_removed() -> None:
    """The rest of the workflow is kept, and a workflow without any is kept under the same name as our own."""
    graph = {"workflow": {"nodes": [{"id": 1, "widgets_values": ["a fox", "x" * 100_000]}]}, "prompt": None}
    _, data = workflows.pack(graph, untrusted=True)
    assert workflows.unpack(data) == {
        "workflow": {"nodes": [{"id": 1, "widgets_values": ["a fox", ""]}]},
        "prompt": None,
    }
    plain = {"workflow": {"nodes": [{"id": 1, "key": 2.5}]}}
    assert workflows.pack(plain, untrusted=True) == workflows.pack(plain)
