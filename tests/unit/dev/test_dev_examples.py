"""Reading an example's prompt and outputs."""

import json
import struct
from pathlib import Path
from typing import Any

from pack.dev import examples

PROMPT: dict[str, Any] = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "cat.png [input]"}},
    "2": {"class_type": "NanoBananaEdit", "inputs": {"images.image_1": ["1", 0], "prompt": "x"}},
    "3": {"class_type": "PreviewAny", "inputs": {"source": ["2", 3]}},
    "4": {"class_type": "ImageBlend", "inputs": {"image1": ["1", 0], "image2": ["2", 0]}},
    "5": {"class_type": "SaveImage", "inputs": {"images": ["4", 0]}},
    "10": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
    "11": {"class_type": "LoadImageMask", "inputs": {"image": "mask.png", "channel": "red"}},
}
INFO = {"provider": "onerouter", "model": "nano-banana-2", "cost_usd": 0.04}
OUTPUTS: dict[str, Any] = {
    "10": {"images": [{"filename": "b.png", "type": "output"}]},
    "3": {"text": ["what a preview shows"]},
    "5": {"images": [{"filename": "a.png", "type": "output"}]},
    "2": {"images": [{"filename": "preview.png", "type": "temp"}], "nano_banana": [json.dumps(INFO)]},
}


REFINED: dict[str, Any] = {
    "1": {"class_type": "NanoBananaGenerate", "inputs": {"prompt": "x"}},
    "2": {"class_type": "NanoBananaEdit", "inputs": {"images.image_1": ["1", 0], "prompt": "x"}},
    "3": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "a.safetensors"}},
    "4": {"class_type": "VAEEncode", "inputs": {"pixels": ["2", 0], "vae": ["3", 2]}},
    "5": {"class_type": "SaveImage", "inputs": {"images": ["4", 0], "filename_prefix": "p"}},
}


def test_an_example_with_a_local_model_runs_as_far_as_that() -> None:
    assert examples.models_named(PROMPT) == [] and examples.models_named(REFINED) == ["a.safetensors"]
    shorter = examples.without_models(REFINED)
    assert sorted(shorter) == ["1", "2", "5"]
    assert shorter["5"]["inputs"] == {"images": ["2", 0], "filename_prefix": "p"}
    assert REFINED["5"]["inputs"]["images"] == ["4", 0]
    assert examples.without_models({"3": REFINED["3"]}) == {}


def test_what_an_example_shows_before_and_after() -> None:
    assert examples.pictures_before(REFINED, "5") == (["1"], ["2"])
    both = {
        "1": REFINED["1"],
        "2": REFINED["1"],
        "3": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
        "4": {"class_type": "SaveImage", "inputs": {"images": ["2", 0]}},
    }
    assert examples.pictures_before(both, "4") == ([], ["1", "2"])
    assert examples.pictures_before(both, "1") == ([], [])


def test_info_belongs_to_the_node_it_came_from() -> None:
    assert examples.infos(OUTPUTS) == {"2": INFO}


def test_saved_images_and_their_maker() -> None:
    saved = examples.saved(PROMPT, OUTPUTS)
    assert [(node, image["filename"]) for node, image in saved] == [("5", "a.png"), ("10", "b.png")]
    assert [examples.made_by(PROMPT, node, {"2": INFO}) for node, _ in saved] == ["2", None]


def test_the_main_result_has_the_longest_way() -> None:
    assert examples.main_result(PROMPT, ["5", "10"]) == "5"
    assert examples.main_result(PROMPT, []) is None


def test_png_size(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 1024, 576) + b"rest")
    assert examples.png_size(path) == "1024x576"
    path.write_bytes(b"no")
    assert examples.png_size(path) == "-"
