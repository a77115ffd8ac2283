"""Reads the reference images of an edit in a prompt, as far as they are known before the run.

The picture of an input is known when it comes straight from a LoadImage. Every other input counts as one frame.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .. import comfyui
from ..core.errors.messages import msg
from ..core.images.picture import Picture
from . import tensors
from .prompt_graph import PromptGraph, inputs_of, is_link, kind_of
from .reference_groups import frame_name
from .value_checks import wrong

_ANNOTATION = re.compile(r" \[(input|output|temp)\]$")
"""The folder that the host adds to the name of a file."""


class PromptReferences:
    """The references of one node: pictures for its requests, and facts about each for the dry run."""

    def __init__(self, graph: PromptGraph, load: bool) -> None:
        """`load`: reads the files of LoadImage, so that their size and number of frames are known."""
        self._graph, self._load = graph, load
        self.facts: list[dict[str, Any]] = []
        """{"input", "from", "width", "height", "number"} of each reference, without what isn't known."""
        self.known = True
        """Whether the pixels of all references are known."""
        self.frames_known = True
        """Whether at least the number of frames is known or likely: a LoadImage has one in nearly all cases."""
        self._pictures: list[tuple[Picture, dict[str, Any]]] = []

    def read(self, name: str, link: Any) -> list[Picture]:
        """The frames of one image input, or one stand-in where they aren't known. Raises InvalidInput."""
        if not is_link(link):
            raise wrong(f"images.{name}", link, msg("prompt_references.link_to_image_output"))
        node = self._graph.source(link)
        file = inputs_of(node).get("image") if kind_of(node) == "LoadImage" else None
        if self._load and isinstance(file, str):
            try:
                frames = tensors.frames(comfyui.load_image(file), name)
            except Exception:  # the host's loader raises anything; the run will report it
                pass
            else:
                return self._loaded(name, _source(node), [tensors.picture(frame, name) for frame in frames])
        self.known = False
        if not isinstance(file, str):
            self.frames_known = False
        picture = unknown_picture()
        self._add(name, _source(node), picture)
        return [picture]

    def number(self, group: Sequence[Picture]) -> None:
        """Adds to the facts which number each picture has in a request with the references `group`."""
        for number, picture in enumerate(group, 1):
            for known, facts in self._pictures:
                if known is picture:
                    facts["number"] = number

    def add_mask(self, number: int) -> None:
        """The mask is sent as a reference, too. Its pixels come from another node."""
        self.known = False
        self.facts.append({"input": "mask", "from": "the mask", "number": number})

    def sort_by_number(self) -> None:
        self.facts.sort(key=lambda facts: facts.get("number", 99))

    def _loaded(self, name: str, source: str, pictures: list[Picture]) -> list[Picture]:
        for index, picture in enumerate(pictures):
            label = frame_name(name, index, len(pictures))
            self._add(label, source, picture, width=picture.width, height=picture.height)
        return pictures

    def _add(self, name: str, source: str, picture: Picture, **size: int) -> None:
        facts: dict[str, Any] = {"input": name, "from": source, **size}
        self.facts.append(facts)
        self._pictures.append((picture, facts))


def unknown_picture() -> Picture:
    """Stands for a picture whose pixels aren't known yet: it can be counted, and nothing else."""

    def load() -> Any:
        raise RuntimeError("a picture that isn't made yet has no pixels")

    return Picture(load, 1, 1, 3)


def _source(node: Mapping[str, Any]) -> str:
    """How the user knows the node that gives a picture: its title, and its file where it has one."""
    title = _title(node) or kind_of(node) or "not connected"
    file = inputs_of(node).get("image") if kind_of(node) == "LoadImage" else None
    return f"{title} '{_ANNOTATION.sub('', file)}'" if isinstance(file, str) and file else title


def _title(node: Mapping[str, Any]) -> str:
    """The title that the user sees on a node, "" where the prompt has none."""
    meta = node.get("_meta")
    title = meta.get("title") if isinstance(meta, Mapping) else ""
    return title if isinstance(title, str) else ""
