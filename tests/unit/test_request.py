"""What a graph asks for: slots, seeds, and the fingerprint by which a paid picture is found again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from dialect_driver import negotiated, request, tiny
from hypothesis import given
from hypothesis import strategies as st
from pack.core.planning.negotiate import is_empty
from pack.core.providers import BUILT_IN
from pack.core.request import MAX_SEED, Options, Request, Slot, folded_seed, mixed_seed

RUNFLOW, OFFLINE = BUILT_IN["runflow"], BUILT_IN["offline"]


def fingerprint(asked: Request, provider: str = "offline", model: str = "recommended", slot: int = 0) -> str:
    return negotiated(BUILT_IN[provider], asked, model).fingerprint(asked, replace(asked, num_images=16).slots()[slot])


# ------------------------------------------------------------------------------------------------------------- seeds


@given(st.integers(0, MAX_SEED), st.integers(0, 15))
def test_a_mixed_seed_is_a_seed(seed: int, slot: int) -> None:
    """In range; slot 0 sends the widget's own; always the same."""
    mixed = mixed_seed(seed, slot)
    assert 0 <= mixed <= MAX_SEED and mixed == mixed_seed(seed, slot)
    assert slot or mixed == seed


def test_the_seeds_people_use_never_meet() -> None:
    """Seeds 0..2000 with 16 slots each: no two of them the same picture, so none is paid twice by a batch of seeds."""
    seen = [mixed_seed(seed, slot) for seed in range(2000) for slot in range(16)]
    assert len(set(seen)) >= len(seen) - 1, "31 bits: one chance meeting among 32,000 may be, a pattern may not"
    small = [mixed_seed(seed, slot) for seed in range(2000) for slot in range(1, 16)]
    assert min(small) > 2000


def test_the_mix_is_pinned() -> None:
    """Another mix would ask for other pictures than yesterday and pay for them."""
    assert [mixed_seed(1, slot) for slot in range(4)] == [1, 624792847, 1496945263, 226430515]


@given(st.integers(-(2**70), 2**70))
def test_a_linked_seed_of_any_size_is_folded(seed: int) -> None:
    """Into range; what is in range stays."""
    folded = folded_seed(seed)
    assert 0 <= folded <= MAX_SEED and folded_seed(folded) == folded
    assert not 0 <= seed <= MAX_SEED or folded == seed


def test_a_request_has_a_slot_per_picture() -> None:
    """Numbered from 0, with the frame and the mixed seeds."""
    asked = replace(request(seed=9), num_images=3, frame=2)
    assert asked.slots() == [Slot(2, 0, 9), Slot(2, 1, mixed_seed(9, 1)), Slot(2, 2, mixed_seed(9, 2))]


# ------------------------------------------------------------------------------------------------------- fingerprints


BASE = request("edit", 2, seed=5, aspect_ratio="1:1", resolution="1K")

CHANGES: dict[str, Any] = {
    "prompt": {"prompt": "a fox in snow "},
    "prompt in Unicode": {"prompt": "a fox in snów"},
    "seed": {"seed": 6},
    "ratio": {"options": replace(BASE.options, aspect_ratio="16:9")},
    "ratio auto": {"options": replace(BASE.options, aspect_ratio="auto")},
    "resolution": {"options": replace(BASE.options, resolution="2K")},
    "resolution auto": {"options": replace(BASE.options, resolution="auto")},
    "web search": {"options": replace(BASE.options, web_search=True)},
    "safety": {"options": replace(BASE.options, safety_tolerance="6")},
    "limit": {"options": replace(BASE.options, limit_generations="on")},
    "format": {"options": replace(BASE.options, output_format="png")},
    "thinking": {"options": replace(BASE.options, thinking="high")},
    "system prompt": {"options": replace(BASE.options, system_prompt="brief")},
    "fewer references": {"references": BASE.references[:1]},
    "other order": {"references": BASE.references[::-1]},
    "other pixels": {"references": (BASE.references[0], tiny(99))},
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_the_picture_changes_the_fingerprint(change: str) -> None:
    """Each alone, and no two of them meet."""
    assert fingerprint(replace(BASE, **CHANGES[change])) != fingerprint(BASE)
    assert len({fingerprint(replace(BASE, **other)) for other in CHANGES.values()}) == len(CHANGES)


def test_operation_provider_model_and_slot_are_part_of_it() -> None:
    """The same words to somebody else are another picture."""
    plain = request(seed=5)
    assert len({fingerprint(plain, "offline"), fingerprint(plain, "runflow"), fingerprint(plain, "onerouter")}) == 3
    assert fingerprint(plain, "runflow", "nano-banana-pro") != fingerprint(plain, "runflow", "nano-banana-2")
    assert len({fingerprint(plain, slot=slot) for slot in range(16)}) == 16
    assert fingerprint(plain) != fingerprint(request("edit", 1, seed=5))


def test_count_frame_and_encoding_are_no_part_of_it() -> None:
    """Asking for three more finds the first again; a reference is its pixels, however it travels or was made."""
    assert fingerprint(replace(BASE, num_images=9)) == fingerprint(BASE)
    assert fingerprint(replace(BASE, frame=4)) == fingerprint(BASE)
    twins = tuple(tiny(index) for index in range(2))
    twins[0].encoded("jpeg")
    assert fingerprint(replace(BASE, references=twins)) == fingerprint(BASE)


def test_address_key_timeout_and_price_are_no_part_of_it() -> None:
    """The facts of a provider that don't shape the picture may change without losing what was paid."""
    spec = replace(RUNFLOW, base_url="https://else.example", label="Else", max_parallel=1, poll_seconds=(9.0, 9.0))
    ours, theirs = negotiated(RUNFLOW, BASE), negotiated(spec, BASE)
    assert ours.fingerprint(BASE, BASE.slots()[0]) == theirs.fingerprint(BASE, BASE.slots()[0])


def test_an_option_that_is_left_out_does_not_split_pictures() -> None:
    """Thinking isn't sent to OneRouter: with and without it the same picture would come."""
    asked = request(thinking="high")
    assert fingerprint(asked, "onerouter") == fingerprint(request(), "onerouter")
    assert fingerprint(asked, "runflow") != fingerprint(request(), "runflow")


def test_a_seed_that_is_not_sent_still_makes_a_new_request() -> None:
    """Otherwise a new seed would give the old picture from the store."""
    assert fingerprint(request(seed=1), "apiframe") != fingerprint(request(seed=2), "apiframe")


def test_a_fingerprint_is_the_same_in_every_process_and_version() -> None:
    """Pinned: it finds paid pictures of last month. A change needs a new version number in front."""
    asked = request(seed=7, prompt="ein Fuchs — 雪\n", aspect_ratio="3:2", web_search=True)
    assert fingerprint(asked, "onerouter") == "v1:e3c3f5e54a00c02fcc971a6283a88d6a56946302799587b165e88494c1d0d5a9"


@given(st.text().filter(lambda text: not is_empty(text)), st.integers(0, MAX_SEED), st.integers(0, 15))
def test_any_prompt_has_a_fingerprint(prompt: str, seed: int, slot: int) -> None:
    """Lone surrogates and control characters too; equal input, equal output."""
    asked = Request("generate", prompt, Options(), seed)
    assert fingerprint(asked, slot=slot) == fingerprint(replace(asked), slot=slot)


def test_a_request_does_not_show_its_pictures() -> None:
    """In logs it is one line."""
    assert "Picture" not in repr(BASE) and "a fox" in repr(BASE)
