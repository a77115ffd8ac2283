"""What one picture needs of its workflow: its node and what feeds it, whatever shape the stored prompt has."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pack.nodes.partial_prompt import prompt_for
from test_origin import ANYTHING

LINKED: dict[str, Any] = {
    "config": {"class_type": "ProviderConfig", "inputs": {"provider": "onerouter"}},
    "make": {
        "class_type": "NanoBananaGenerate",
        "inputs": {"prompt": "a rail", "provider": ["config", 0], "seed": ["7", 0]},
    },
    "7": {"class_type": "PrimitiveInt", "inputs": {"value": 3}},
    "edit": {
        "class_type": "NanoBananaEdit",
        "inputs": {"prompt": "at night", "images.image_1": ["make", 0], "provider": ["config", 0]},
        "is_changed": 4,
        "_meta": {"title": "Night"},
    },
    "other": {"class_type": "NanoBananaGenerate", "inputs": {"prompt": "another", "provider": ["config", 0]}},
    "save": {"class_type": "SaveImage", "inputs": {"images": ["edit", 0]}},
    "later": {"class_type": "NanoBananaEdit", "inputs": {"prompt": "by day", "images.image_1": ["edit", 0]}},
}


def test_a_node_and_what_feeds_it_stay() -> None:
    """A preview takes the pictures; what goes on from them, and other branches, are left out."""
    part = prompt_for(LINKED, "edit")
    assert part is not None
    (preview,) = (name for name, node in part.items() if node["class_type"] == "PreviewImage")
    assert {*part} - {preview} == {"edit", "make", "config", "7"}
    assert part[preview]["inputs"] == {"images": ["edit", 0]}
    assert part["edit"] == {key: value for key, value in LINKED["edit"].items() if key != "is_changed"}
    assert "is_changed" in LINKED["edit"], "what is stored stays as it is"


def test_a_preview_takes_no_other_node_s_id() -> None:
    part = prompt_for({"make": LINKED["make"], "preview": LINKED["7"], "preview_": LINKED["7"]}, "make")
    assert part is not None and {*part} == {"make", "preview__"}


def test_only_a_node_of_ours_is_asked_for() -> None:
    for name in ("save", "7", "config", "gone", ""):
        assert prompt_for(LINKED, name) is None


@given(
    node=ANYTHING,
    others=st.dictionaries(st.sampled_from(["1", "2", "3"]), ANYTHING),
    where=st.sampled_from(["1", "2", "3"]),
)
def test_any_shape_ends_and_keeps_nothing_but_what_was_there(node: Any, others: dict[str, Any], where: str) -> None:
    prompt = others | {where: {"class_type": "NanoBananaEdit", "inputs": node}}
    part = prompt_for(prompt, where)
    assert part is not None and where in part
    assert {name for name in part if name not in prompt} == {name for name in part if name.startswith("preview")}
    assert all(part[name].items() <= prompt[name].items() for name in part if name in prompt)


def test_a_circle_ends() -> None:
    circle = {
        "1": {"class_type": "NanoBananaEdit", "inputs": {"images.image_1": ["2", 0]}},
        "2": {"class_type": "NanoBananaEdit", "inputs": {"images.image_1": ["1", 0]}},
    }
    part = prompt_for(circle, "1")
    assert part is not None and {"1", "2"} < {*part}
