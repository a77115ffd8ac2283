"""What a picture was made from is read from its workflow, whatever shape that has."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pack import comfyui
from pack.nodes.origin import MAX_NODES, MAX_SOURCES, origin_of

DEFAULTS = {"NanoBananaEdit": {"aspect_ratio": "auto", "resolution": "auto", "batch_mode": "together", "seed": 0}}
NAMES = ("class_type", "inputs", "image", "prompt", "images.image_1", "images.image_2", "mask", "seed", "1", "2", "3")
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["NanoBananaEdit", "NanoBananaGenerate", "LoadImage", "ImageScale", "1", "2"]),
    st.lists(st.one_of(st.sampled_from(["1", "2", "3"]), st.integers(0, 3)), max_size=3),
)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)),
    max_leaves=40,
)


@pytest.fixture(autouse=True)
def files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comfyui, "input_file_state", lambda name, since: "here")


def edit(**inputs: Any) -> dict[str, Any]:
    return {
        "class_type": "NanoBananaEdit",
        "inputs": {name.replace("__", "."): value for name, value in inputs.items()},
    }


def test_files_and_pictures_are_found_behind_other_nodes() -> None:
    prompt = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "cat.png"}},
        "2": {"class_type": "ImageScale", "inputs": {"image": ["1", 0], "width": 64}},
        "3": {"class_type": "NanoBananaGenerate", "inputs": {"prompt": "a hat"}},
        "4": edit(
            images__image_1=["2", 0],
            images__image_2=["3", 0],
            mask=["1", 1],
            seed=7,
            resolution="auto",
            thinking="high",
        ),
    }
    found = origin_of(prompt, "4", 0.0, DEFAULTS)
    assert found["options"] == {"seed": 7, "thinking": "high"}
    assert [each["input"] for each in found["references"]] == ["image_1", "image_2", "mask"]
    first, second, mask = found["references"]
    assert first["sources"] == [{"file": "cat.png", "state": "here"}] and first["through"] == ["ImageScale"]
    assert second["sources"] == [{"node": "3", "prompt": "a hat"}] and second["through"] == []
    assert mask["sources"] == first["sources"]


def test_references_have_the_order_of_their_numbers() -> None:
    inputs = {f"images__image_{number}": ["1", 0] for number in (10, 2, 1, 14)}
    found = origin_of(
        {"1": {"class_type": "LoadImage", "inputs": {"image": "a"}}, "2": edit(**inputs)}, "2", 0.0, DEFAULTS
    )
    assert [each["input"] for each in found["references"]] == ["image_1", "image_2", "image_10", "image_14"]


def test_a_workflow_of_many_nodes_is_read_in_part() -> None:
    """Also one whose links go in a circle."""
    prompt: dict[str, Any] = {
        str(index): {"class_type": "Blend", "inputs": {"a": [str(index + 1), 0], "b": [str(index), 0]}}
        for index in range(20_000)
    }
    prompt["edit"] = edit(images__image_1=["0", 0])
    (reference,) = origin_of(prompt, "edit", 0.0, DEFAULTS)["references"]
    assert reference["sources"] == [] and len(reference["through"]) <= min(MAX_NODES, MAX_SOURCES)


@given(prompt=ANYTHING, node=st.sampled_from(["", "1", "2", "3"]))
def test_any_shape_gives_json_of_a_few_lines(prompt: Any, node: str) -> None:
    found = origin_of(prompt, node, 0.0, DEFAULTS)
    json.dumps(found, allow_nan=False)
    assert all(len(each["sources"]) <= MAX_SOURCES for each in found["references"])


@pytest.mark.parametrize(
    ("name", "given", "shown"),
    [
        ("temperature", 0, True),
        ("top_p", 0.0, True),
        ("top_p", -1, False),
        ("aspect_ratio", "auto", False),
        ("batch_mode", "together", False),
        ("thinking", "high", True),
    ],
)
def test_options_are_those_that_were_chosen(name: str, given: Any, shown: bool) -> None:
    """A temperature of 0 is a choice; what is left to the provider is none."""
    assert origin_of({"1": edit(**{name: given})}, "1", 0.0, DEFAULTS)["options"] == ({name: given} if shown else {})
