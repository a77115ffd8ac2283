"""What reaches the nodes by a link or as a constant on a socket: it is checked as a widget's value is, by its input's name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pack.core.request import MAX_SEED
from pack.tests.host.kit import Bench, Ran, colours, node

BAD: list[tuple[str, list[str]]] = [
    ("prompt", ["None", "5", "True", "['a']", "b'x'", "np.zeros(3)", "torch.zeros(1, 8, 8, 3)"]),
    ("system_prompt", ["None", "5.5", "[]", "torch.zeros(2)"]),
    ("seed", ["None", "'5'", "1.5", "True", "float('nan')", "float('-inf')", "np.float32('inf')", "torch.tensor(5)", "[1]"]),
    ("num_images", ["None", "0", "99", "-1", "2.7", "'2'", "True", "np.int64(17)", "np.float32(1.5)", "10**30",
                    "float('inf')"]),
    ("mask_feather", ["None", "-1", "513", "0.5", "'nan'", "float('nan')", "np.array([8])"]),
    ("safety_tolerance", ["None", "'9'", "'0'", "5", "''", "True", "'Default'"]),
    ("resolution", ["None", "'8K'", "'2k'", "2", "np.int64(2)"]),
    ("aspect_ratio", ["'16x9'", "1.5", "(16, 9)"]),
    ("on_failure", ["None", "'whatever'", "False", "np.zeros(3)", "[]", "torch.zeros(3)"]),
    ("batch_mode", ["None", "'all'", "0", "np.zeros(3)", "{}"]),
    ("output_size", ["None", "'multiple of 16'", "8"]),
    ("thinking", ["'low'", "True"]),
    ("enable_web_search", ["None", "1", "'yes'", "np.bool_(True)", "torch.tensor(True)"]),
    ("with_text", ["None", "1", "'yes'"]),
    ("temperature", ["None", "'1'", "True", "2.5", "-2", "float('nan')", "float('inf')", "np.array([1.0])"]),
    ("top_p", ["None", "1.5", "float('-inf')", "torch.tensor(0.5)"]),
    ("provider", ["None", "'onerouter'", "{'provider': 'onerouter'}", "object()"]),
    ("conversation", ["None", "'x'", "[]", "object()", "{'branches': ()}", "('turns',)", "torch.zeros(1, 8, 8, 3)"]),
    ("mask", ["None", "'x'", "1.0", "torch.full((1, 40, 60), float('nan'))", "torch.full((1, 40, 60), float('inf'))",
              "torch.zeros(1, 40, 60, 3)", "torch.ones(0, 40, 60)"]),
    ("image_1", ["None", "'x'", "torch.zeros(1, 40, 60)[0, 0]", "torch.zeros(0, 40, 60, 3)", "np.zeros((1, 40, 60, 3))",
                 "torch.full((1, 40, 60, 3), float('nan'))", "torch.full((1, 40, 60, 3), float('-inf'))"]),
    ("image_2", ["None", "torch.zeros(0, 40, 60, 4)", "torch.zeros(1, 40, 60, 2)"]),
]  # fmt: skip


def edited(bench: Bench, tag: str, name: str, code: str, **inputs: Any) -> Ran:
    """An Edit with the value of `code` linked into one input."""
    bench.put("linked.png", colours(40, 60))
    good: dict[str, Any] = {
        "prompt": tag, "provider": ["config", 0], "images__image_1": ["load", 0], **inputs,
        f"images__{name}" if name.startswith("image_") else name: ["odd", 0],
    }  # fmt: skip
    return bench.run(
        {
            "load": node("LoadImage", image="linked.png"),
            "odd": node("TestOdd", code=code),
            "config": node("ProviderConfig", provider="onerouter"),
            "make": node("NanoBananaEdit", **good),
            "show": node("PreviewImage", images=["make", 0]),
        }
    )


@pytest.mark.parametrize(
    ("turn", "name", "codes"), [(turn, *bad) for turn, bad in enumerate(BAD)], ids=[n for n, _ in BAD]
)
def test_a_bad_value_is_refused_with_its_inputs_name(
    bench: Bench, tag: str, some: Callable[..., list[str]], turn: int, name: str, codes: list[str]
) -> None:
    """As one of the pack's own refusals, before anything is sent, and without a word of Python's."""
    for code in some(codes, turn):
        ran = edited(bench, tag, name, code)
        assert ran.error_type == "NanoBanana.Impossible", (code, ran.error or ran.refusal or ran.status)
        assert name in ran.error and "Nothing was charged." in ran.error, (code, ran.error)
        assert not any(word in ran.error for word in ("Traceback", "object has no attribute", "NoneType")), ran.error
    assert not bench.asked(tag)


@pytest.mark.parametrize(
    ("name", "code", "field", "sent"),
    [
        ("num_images", "np.int64(2)", "n", 2),
        ("num_images", "np.float32(2)", "n", 2),
        ("num_images", "2.0", "n", 2),
        ("prompt", "np.str_('TAG with more')", "prompt", "TAG with more"),
        ("enable_web_search", "True", "enable_web_search", True),
    ],
    ids=["int64", "float32", "float", "str_", "bool"],
)
def test_a_good_value_of_another_type_is_taken(
    bench: Bench, tag: str, name: str, code: str, field: str, sent: Any
) -> None:
    """Numbers of numpy are numbers: what a person means is sent, in a type that the provider reads."""
    ran = edited(bench, tag, name, code.replace("TAG", tag))
    assert ran.status == "success", ran.error or ran.refusal
    assert bench.asked(tag)[0]["fields"][field] == (sent.replace("TAG", tag) if isinstance(sent, str) else sent)


@pytest.mark.parametrize(
    ("code", "sent", "noticed"),
    [
        ("7", 7, False),
        ("7.0", 7, False),
        ("np.int64(7)", 7, False),
        (str(MAX_SEED), MAX_SEED, False),
        (str(MAX_SEED + 8), 7, True),
        ("-1", MAX_SEED, True),
        ("2.0**62", 0, True),
    ],
)
def test_a_seed_is_folded_and_told_only_beyond_its_range(
    bench: Bench, tag: str, code: str, sent: int, noticed: bool
) -> None:
    ran = bench.run(
        {
            "odd": node("TestOdd", code=code),
            "config": node("ProviderConfig", provider="onerouter"),
            "make": node("NanoBananaGenerate", prompt=tag, provider=["config", 0], seed=["odd", 0]),
            "show": node("PreviewImage", images=["make", 0]),
        }
    )
    assert ran.status == "success", ran.error or ran.refusal
    assert ran.info()["images"][0]["seed"] == sent
    assert bool([notice for notice in ran.info()["notices"] if "was sent as" in notice]) == noticed


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("torch.ones(3, 40, 60)", ("3 masks for 1 frame of image_1", "union")),
        ("torch.ones(1, 40, 64)", ("64x40", "60x40")),
        ("torch.zeros(1, 1, 40, 60)", ("nothing may change",)),
    ],
)
def test_a_mask_that_does_not_fit_is_refused_with_its_cure(
    bench: Bench, tag: str, code: str, words: tuple[str, ...]
) -> None:
    ran = edited(bench, tag, "mask", code)
    assert all(word in ran.error for word in (*words, "Nothing was charged.")), ran.error
    assert not bench.asked(tag)


@pytest.mark.parametrize("name", ["image_1", "image_2"])
def test_a_batch_without_frames_is_named(bench: Bench, tag: str, name: str) -> None:
    ran = edited(bench, tag, name, "torch.zeros(0, 40, 60, 3)")
    assert f"{name} has no frames" in ran.error and not bench.asked(tag)


@pytest.mark.parametrize(
    "shape", ["(1, 1, 48, 63)", "(1, 48, 63)", "(48, 63)", "(1, 49, 63)", "(1, 48, 62)", "(1, 1, 47, 64)"]
)
def test_a_mask_of_another_form_or_a_pixel_off_is_fitted(bench: Bench, tag: str, shape: str) -> None:
    """Its right half may change: the left one is the input's."""
    original = colours(48, 63, 3)
    bench.put(f"{tag}.png", original)
    graph = {"odd": node("TestOdd", code=f"(torch.arange({shape}[-1]) >= {shape}[-1] // 2).float().expand({shape})")}
    ran = bench.edit(tag, {"image_1": f"{tag}.png"}, more=graph, mask=["odd", 0], mask_feather=0)
    assert ran.status == "success", ran.error
    (result,) = ran.images()
    assert np.array_equal(result[:, :30], original[:, :30])
    assert (result[:, 34:] != original[:, 34:]).any(axis=2).mean() > 0.9
