"""Finds other packs that have the same node ids as this one: the host keeps the class that was loaded last and says nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .. import comfyui
from ..core.errors.messages import listed, msg

log = logging.getLogger("nano_banana")

CUSTOM = "custom_nodes."
"""How the host names the module of a pack; its own modules are named otherwise."""


@dataclass(frozen=True)
class Conflict:
    """A node id that another pack has, too."""

    node: str
    pack: str
    """The other pack's folder or file in `custom_nodes`; ComfyUI where it is a node of the host's own."""
    taken: bool
    """True: the host runs the other pack's node. False: this pack's, and the other's is gone."""


_classes: dict[str, Any] = {}
_before: dict[str, Any] = {}


def watch(classes: Iterable[Any]) -> None:
    """Called while this pack is loaded, before the host has its nodes; writes conflicts to the log once the server starts.

    `classes`: the node classes of this pack.
    """
    registered = comfyui.node_classes()
    _classes.update({each.GET_SCHEMA().node_id: each for each in classes})
    _before.update({name: registered[name] for name in _classes if name in registered})
    comfyui.at_server_start(_write_to_log)


def conflicts() -> list[Conflict]:
    """All of them, as the host is now."""
    return find(_classes, _before, comfyui.node_classes())


def find(classes: Mapping[str, Any], before: Mapping[str, Any], registered: Mapping[str, Any]) -> list[Conflict]:
    """The conflicts of `classes` by node id, with what the host had before them (`before`) and has now (`registered`)."""
    found = []
    for name, ours in classes.items():
        now = registered.get(name, ours)
        if now is not ours:
            found.append(Conflict(name, pack_of(now), taken=True))
        elif name in before:
            found.append(Conflict(name, pack_of(before[name]), taken=False))
    return found


def pack_of(node_class: Any) -> str:
    """The pack that a registered node class is of."""
    module = str(getattr(node_class, "RELATIVE_PYTHON_MODULE", ""))
    return module.removeprefix(CUSTOM) if module.startswith(CUSTOM) else "ComfyUI"


def messages(found: Iterable[Conflict]) -> list[str]:
    """What is said of them: one message for each pack and kind."""
    groups: dict[tuple[str, bool], list[str]] = {}
    for each in found:
        groups.setdefault((each.pack, each.taken), []).append(each.node)
    return [
        msg("id_conflicts.taken", pack=pack, nodes=listed(", ", nodes))
        if taken
        else msg("id_conflicts.replaced", pack=pack, nodes=listed(", ", nodes))
        for (pack, taken), nodes in groups.items()
    ]


def _write_to_log() -> None:
    for message in messages(conflicts()):
        log.warning("Nano Banana: %s.", message)
