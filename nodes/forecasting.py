"""The nodes of a prompt, held against this machine without running them: the price badge and the dry run.

Takes a prompt in API form. What a picture input will be is only known when it comes straight from a LoadImage: everything
else is counted as one frame, and said to be a guess.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from .. import host
from ..core.allowed_models import UnknownModel
from ..core.choice import AUTO, MOST_PROVIDERS, RECOMMENDED, ProviderChoice, problem_with
from ..core.engine import Engine
from ..core.errors import Impossible, NanoBananaError
from ..core.forecast import Forecast, elsewhere, forecast
from ..core.pictures import Picture
from ..core.request import Options, Request
from . import codec
from .edit import EACH, HINT, HINT_WORDS, TOGETHER, NanoBananaEdit, groups_of
from .generate import NanoBananaGenerate
from .widgets import options_of, seed_of

NODES: dict[str, Any] = {"NanoBananaGenerate": NanoBananaGenerate, "NanoBananaEdit": NanoBananaEdit}
_DEFAULTS = {
    kind: {
        name: parameter.default
        for name, parameter in inspect.signature(node.execute).parameters.items()
        if isinstance(parameter.default, (str, int, bool))
    }
    for kind, node in NODES.items()
}
"""The widgets. What has None for a default is a socket, and being linked is its nature."""
_CONFIG = ("provider", "model", "profile", "timeout", "max_parallel", "model_override")


def forecast_prompt(engine: Engine, prompt: Mapping[str, Any], *, detail: bool, everywhere: bool) -> dict[str, Any]:
    """Facts about each node of ours, by its id. `detail`: with the stored pictures of edits and the requests themselves."""
    found = {}
    for name, node in prompt.items():
        if isinstance(node, Mapping) and str(node.get("class_type")) in NODES:
            found[str(name)] = _Asked(engine, prompt, node, detail).facts(everywhere)
    return found


class _Asked:
    """One node of a prompt."""

    def __init__(self, engine: Engine, prompt: Mapping[str, Any], node: Mapping[str, Any], detail: bool) -> None:
        self._engine, self._prompt, self._detail = engine, prompt, detail
        self._kind = str(node["class_type"])
        given = node.get("inputs")
        self._inputs: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
        self._sure = True
        """Whether everything is known: no text, seed or picture comes from a node that has yet to run."""
        self._frames_known = True
        self._references: list[dict[str, Any]] = []
        self._entries: list[tuple[Picture, dict[str, Any]]] = []

    def facts(self, everywhere: bool) -> dict[str, Any]:
        operation = "generate" if self._kind == "NanoBananaGenerate" else "edit"
        facts: dict[str, Any] = {"node": self._kind, "operation": operation, "problem": None}
        try:
            choice = self._choice(self._inputs.get("provider"))
            wrong = problem_with(choice) if choice is not None else None
            if wrong:
                raise Impossible(wrong, kind="impossible")
            requests = self._requests()
            if everywhere:
                facts["everywhere"] = elsewhere(self._engine.shelf(), choice, requests)
            told = forecast(self._engine, choice, requests, pixels=self._sure, sends=self._detail)
        except NanoBananaError as error:
            problem: dict[str, Any] = {"kind": error.kind, "what": error.what, "cure": error.cure}
            if isinstance(error, UnknownModel):
                # The node asks the user about it.
                problem["model"] = {"provider": error.provider, "label": error.label, "wire": error.wire}
            return {**facts, "problem": problem, "references": self._references}
        return {**facts, **_told(told), "sure": self._sure, "frames_known": self._frames_known,
                "references": self._references}  # fmt: skip

    # ------------------------------------------------------------------------------------------------ inside

    def _value(self, name: str) -> Any:
        """A widget's value; its default where it is linked or left out."""
        default = _DEFAULTS[self._kind].get(name, "")
        value = self._inputs.get(name, default)
        if isinstance(value, (list, tuple)):
            value = self._constant(value)
            if value is None:
                self._sure = False
        if value is None:
            return default
        wanted = type(default)
        if wanted in (int, bool, str) and not isinstance(value, wanted):
            try:
                return wanted(value)
            except (TypeError, ValueError, OverflowError):
                return default
        return value

    def _constant(self, link: Sequence[Any]) -> Any:
        """What one of the host's Primitive nodes gives; None for any other node."""
        node = self._prompt.get(str(link[0])) if link else None
        inputs = node.get("inputs") if isinstance(node, Mapping) else None
        if not isinstance(node, Mapping) or not isinstance(inputs, Mapping):
            return None
        value = inputs.get("value") if str(node.get("class_type", "")).startswith("Primitive") else None
        return value if isinstance(value, (str, int, float, bool)) else None

    def _requests(self) -> list[Request]:
        values = {name: self._value(name) for name in _DEFAULTS[self._kind]}
        prompt = self._value("prompt")
        if not prompt and isinstance(self._inputs.get("prompt"), (list, tuple)):
            prompt = "(comes from another node)"
        options, (seed, _) = options_of(values), seed_of(values["seed"])
        count = max(1, min(int(values["num_images"]), 16))
        if self._kind == "NanoBananaGenerate":
            return [Request("generate", prompt, options, seed, count)]
        return self._edits(prompt, options, seed, count, values)

    def _edits(self, prompt: str, options: Options, seed: int, count: int, values: dict[str, Any]) -> list[Request]:
        names = [f"image_{number}" for number in range(1, 15) if f"images.image_{number}" in self._inputs]
        if not names or names[0] != "image_1":
            raise Impossible("There is no image to edit", cure="Connect image_1", kind="impossible")
        mode = str(values["batch_mode"])
        handles = {name: self._pictures(name) for name in names}
        if not self._frames_known and mode != TOGETHER:
            handles = {name: pictures[:1] for name, pictures in handles.items()}
        groups, _ = groups_of(mode, names, handles)
        for number, wanted in enumerate(groups[0], 1):
            for picture, entry in self._entries:
                if picture is wanted:
                    entry["number"] = number
        hinted = values["mask_hint"] == HINT and "mask" in self._inputs and bool(prompt.strip())
        if hinted:
            self._sure = False
            prompt = f"{prompt.rstrip()}\n{HINT_WORDS}"
            groups = [[*group, _unknown()] for group in groups]
            self._references.append({"input": "mask", "from": "the mask", "number": len(groups[0])})
        if mode != EACH:
            self._references.sort(key=lambda entry: entry.get("number", 99))
        return [
            Request("edit", prompt, options, seed, count, tuple(group), index) for index, group in enumerate(groups)
        ]

    def _pictures(self, name: str) -> list[Picture]:
        """The frames of one input, or one stand-in where they aren't known yet."""
        link = self._inputs[f"images.{name}"]
        source = self._prompt.get(str(link[0])) if isinstance(link, (list, tuple)) and link else None
        source = source if isinstance(source, Mapping) else {}
        kind, inputs = str(source.get("class_type", "")), source.get("inputs")
        file = inputs.get("image") if kind == "LoadImage" and isinstance(inputs, Mapping) else None
        if self._detail and isinstance(file, str):
            try:
                frames = codec.frames(host.loaded(file), name)
                pictures = [codec.picture(frame, name) for frame in frames]
                for index, picture in enumerate(pictures):
                    label = name if len(pictures) == 1 else f"{name} frame {index + 1}"
                    self._note(label, f"LoadImage {file}", picture, known=True)
                return pictures
            except Exception:  # the host's loader raises what it likes; the run will say it in its own words
                pass
        self._sure = False
        title = source.get("_meta", {}).get("title") if isinstance(source.get("_meta"), Mapping) else ""
        if not isinstance(file, str):
            self._frames_known = False
        picture = _unknown()
        self._note(
            name, f"LoadImage {file}" if isinstance(file, str) else str(title or kind or "not connected"), picture
        )
        return [picture]

    def _note(self, name: str, source: str, picture: Picture, *, known: bool = False) -> None:
        size = {"width": picture.width, "height": picture.height} if known else {}
        entry: dict[str, Any] = {"input": name, "from": source, **size}
        self._references.append(entry)
        self._entries.append((picture, entry))

    def _choice(self, link: Any, seen: tuple[str, ...] = ()) -> ProviderChoice | None:
        """The chain of ProviderConfig nodes behind a link; None where nothing is connected."""
        if not isinstance(link, (list, tuple)) or not link:
            return None
        name = str(link[0])
        node = self._prompt.get(name)
        inputs = node.get("inputs") if isinstance(node, Mapping) else None
        if name in seen or not isinstance(node, Mapping) or not isinstance(inputs, Mapping):
            return None
        if node.get("class_type") != "ProviderConfig":
            self._sure = False
            return None
        if len(seen) > MOST_PROVIDERS:
            return ProviderChoice()  # one too many: the check of those before it says so
        defaults = ProviderChoice()
        values: dict[str, Any] = {}
        for field in _CONFIG:
            value = inputs.get(field, getattr(defaults, field))
            if isinstance(value, (list, tuple)):
                self._sure = False
            elif isinstance(value, type(getattr(defaults, field))):
                values[field] = value
        values["model_override"] = values.get("model_override", "").strip()
        choice = ProviderChoice(**values, fallback=self._choice(inputs.get("fallback"), (*seen, name)))
        # As ProviderConfig itself does when it runs, so that a missing key is said before.
        self._engine.shelf().check(choice) if choice.provider != AUTO or choice.model != RECOMMENDED else None
        return choice


def _unknown() -> Picture:
    """Stands for a picture whose pixels nobody knows yet: it can be counted, and nothing else."""

    def load() -> Any:
        raise RuntimeError("a picture that isn't made yet has no pixels")

    return Picture(load, 1, 1, 3)


def _told(told: Forecast) -> dict[str, Any]:
    return {
        "provider": told.provider,
        "label": told.label,
        "model": told.model,
        "wire": told.wire,
        "resolution": told.resolution,
        "pictures": told.pictures,
        "stored": told.stored,
        "usd_each": told.usd_each,
        "usd_counted_each": round(told.usd_counted_each, 6),
        "usd": told.usd,
        "usd_counted": round(told.usd_counted, 6),
        "price_source": told.price_source,
        "price_dated": told.price_dated,
        "counted_source": told.counted_source,
        "notices": list(told.notices),
        "sends": list(told.sends),
    }
