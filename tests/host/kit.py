"""What the host tests have in hand: prompts, what became of them, and what the doubles were asked."""

from __future__ import annotations

import base64
import io
import json
import sqlite3
import time
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pack.dev.comfy_host import Host, PromptFailed
from PIL import Image

KEYED = ("onerouter", "apiframe", "nanobanana", "runflow")
"""The providers of the documents: each failure is tried with each of them."""
SERVED = (*KEYED, "fal", "replicate")
"""Every provider that the host is pointed at the doubles for."""


def in_turn(
    names: Mapping[str, Iterable[str]], besides: Callable[[str, str], bool] = lambda name, provider: False
) -> list[Any]:
    """Parameters (provider, name) for every name with each of its providers, of which most are tried with --long only.

    Without it a name has the provider whose turn it is, so that each provider comes up, and those for which `besides` says so.
    """
    found = []
    for number, (name, allowed) in enumerate(names.items()):
        providers = tuple(allowed)
        for provider in providers:
            first = provider == providers[number % len(providers)]
            marks = () if first or besides(name, provider) else pytest.mark.long
            words = name.replace(" ", "_").replace("=", ".")
            found.append(pytest.param(provider, name, id=f"{words}-{provider}", marks=marks))
    return found


SILENT = "wavespeed"
"""The provider of which the session's host has an address that refuses every connection; its key is in the profile `silent`."""


def provider_variables(doubles: Any, key: str = "sim-test") -> dict[str, str]:
    """Environment variables that make `doubles` every provider."""
    found = {"NANO_BANANA_CAP_DAY": "none"}  # a session of tests asks for more than a day's worth of pictures
    for name in SERVED:
        found[f"NANO_BANANA_{name.upper()}_BASE_URL"] = doubles.base_url(name)
        found[f"NANO_BANANA_{name.upper()}_API_KEY"] = key
    return found


UNREADABLE = {"gallery": [{"canvas": "in a shape of tomorrow"}]}
"""A success in which no picture can be read."""


def chat_answer(*pictures: np.ndarray) -> dict[str, Any]:
    """OpenRouter's answer with these pictures."""
    images = []
    for pixels in pictures:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        url = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
        images.append({"type": "image_url", "image_url": {"url": url}})
    message = {"role": "assistant", "content": "", "images": images}
    return {"id": "gen-1", "choices": [{"index": 0, "finish_reason": "stop", "message": message}]}


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    """A node of an API prompt; `images__image_1` stands for the input `images.image_1`."""
    return {"class_type": kind, "inputs": {name.replace("__", "."): value for name, value in inputs.items()}}


class Ran:
    """What became of a prompt."""

    def __init__(self, host: Host, entry: dict[str, Any] | None, refusal: str = "") -> None:
        self._host, self.entry, self.refusal = host, entry or {}, refusal
        self.outputs: dict[str, Any] = self.entry.get("outputs", {})

    @property
    def status(self) -> str:
        return str(self.entry.get("status", {}).get("status_str", "refused"))

    def _message(self, kind: str) -> dict[str, Any]:
        return next((data for name, data in self.entry.get("status", {}).get("messages", []) if name == kind), {})

    @property
    def error(self) -> str:
        """The text of the error panel, "" when nothing failed."""
        return str(self._message("execution_error").get("exception_message", "")).strip()

    @property
    def error_type(self) -> str:
        return str(self._message("execution_error").get("exception_type", ""))

    @property
    def interrupted(self) -> bool:
        return bool(self._message("execution_interrupted"))

    def info(self, name: str = "make") -> dict[str, Any]:
        """The `info` of a node of ours."""
        found: dict[str, Any] = json.loads(self.outputs[name]["nano_banana"][0])
        return found

    def images(self, name: str = "show") -> list[np.ndarray]:
        """The pictures of a PreviewImage or SaveImage node."""
        return [np.asarray(Image.open(self._host.file(one))) for one in self.outputs.get(name, {}).get("images", [])]

    def text(self, name: str) -> list[str]:
        return list(self.outputs[name]["text"])


class Bench:
    """A host and its doubles in a test's hands."""

    def __init__(self, host: Host, doubles: Any) -> None:
        self.host, self.doubles = host, doubles

    def run(self, prompt: dict[str, Any], timeout: float = 600.0) -> Ran:
        try:
            prompt_id = self.host.queue_prompt(prompt)
        except PromptFailed as failed:
            return Ran(self.host, None, str(failed))
        return Ran(self.host, self.host.wait_prompt(prompt_id, timeout))

    def generate(
        self, prompt: str, provider: str = "onerouter", config: dict[str, Any] | None = None, **inputs: Any
    ) -> Ran:
        """One Generate node called "make" with a PreviewImage "show"."""
        return self.run(
            {
                "config": node("ProviderConfig", provider=provider, **(config or {})),
                "make": node("NanoBananaGenerate", prompt=prompt, provider=["config", 0], **inputs),
                "show": node("PreviewImage", images=["make", 0]),
            }
        )

    def edit(self, prompt: Any, pictures: dict[str, Any], provider: str = "onerouter", config: dict[str, Any] | None = None,
             more: dict[str, Any] | None = None, **inputs: Any) -> Ran:  # fmt: skip
        """One Edit node called "make"; `pictures` maps image_1, ... to links or to input file names."""
        prompt_: dict[str, Any] = {
            "config": node("ProviderConfig", provider=provider, **(config or {})),
            "show": node("PreviewImage", images=["make", 0]),
            **(more or {}),
        }
        links = {}
        for socket, value in pictures.items():
            if isinstance(value, str):
                prompt_[f"load_{socket}"] = node("LoadImage", image=value)
                value = [f"load_{socket}", 0]
            links[f"images__{socket}"] = value
        prompt_["make"] = node("NanoBananaEdit", prompt=prompt, provider=["config", 0], **links, **inputs)
        return self.run(prompt_)

    def asked(self, prompt: str, provider: str = "") -> list[dict[str, Any]]:
        """The paid requests whose prompt has `prompt` in it, in order of arrival."""
        found: list[dict[str, Any]] = self.doubles.request_log(prompt=prompt, provider=provider)["requests"]
        return found

    def paid(self, prompt: str) -> int:
        """Pictures billed."""
        return int(self.doubles.request_log(prompt=prompt)["paid_images"])

    def put(self, name: str, pixels: np.ndarray) -> str:
        """Writes a PNG into the host's input folder."""
        Image.fromarray(pixels).save(self.host.base / "input" / name)
        return name

    def view(self, image: dict[str, str]) -> Image.Image:
        query = "&".join(f"{k}={v}" for k, v in image.items())
        with urllib.request.urlopen(f"{self.host.url}/view?{query}") as answer:
            return Image.open(io.BytesIO(answer.read()))


def colours(height: int, width: int, seed: int = 0, channels: int = 3) -> np.ndarray:
    """A picture like no other: noise."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


ODD_NODE = """
import numpy as np, torch
class Index:
    def __index__(self):
        raise ValueError("x")
class Any(str):
    def __ne__(self, other):
        return False
class Odd:
    RETURN_TYPES, FUNCTION, CATEGORY = (Any("*"),), "give", "x"
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"code": ("STRING", {})}}
    def give(self, code):
        return (eval(code),)
class Look:
    RETURN_TYPES, FUNCTION, CATEGORY = ("STRING",), "look", "x"
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"code": ("STRING", {})}, "optional": {"a": (Any("*"),), "b": (Any("*"),)}}
    def look(self, code, a=None, b=None):
        return (str(eval(code, {"a": a, "b": b, "torch": torch})),)
NODE_CLASS_MAPPINGS = {"TestOdd": Odd, "TestLook": Look}
"""
"""A pack for tests: TestOdd gives the value of an expression, into any input; TestLook says what one of two values is."""


def states(home: Path, prompt: str = "") -> list[str]:
    """What the journal says of the pictures whose prompt has `prompt` in it; nothing while it is still being made."""
    with sqlite3.connect(home / "journal.sqlite", timeout=20) as connection:
        made = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'picture'").fetchone()
        wanted = "SELECT state FROM picture WHERE instr(prompt, ?) ORDER BY created"
        answer = [row[0] for row in connection.execute(wanted, (prompt,))] if made else []
    connection.close()
    return answer


def until(true: Callable[[], bool], seconds: float = 600.0) -> None:
    """Waits for what another process writes down."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)
