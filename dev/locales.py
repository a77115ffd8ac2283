"""`dev.py words`: `locales/en/nodeDefs.json`, made anew from the nodes' schemas as a running host publishes them.

The file is what translators start from and what a test holds every translation against. It adds nothing to the schemas
but one thing that they can't say: a tooltip for each socket of a growing input, which the frontend looks up by the
socket's own name. It writes no other locale. Called by `commands.py`; tests use `words`.

How the frontend looks words up (1.47, read in its source and tried): `nodeDefs.<node>.inputs.<id>.name` and `.tooltip`,
`outputs.<index>.name` and `.tooltip`, dots in an id replaced by underscores; labels of combo options are not looked up.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from . import environment
from .cache import ROOT
from .comfy_host import Host

ENGLISH = ROOT / "locales" / "en" / "nodeDefs.json"
GROWING = "COMFY_AUTOGROW_V3"


def run(arguments: list[str]) -> int:
    """Writes the English file. Raises UserError when the host doesn't start."""
    environment.make()
    with tempfile.TemporaryDirectory(prefix="nano-banana-words-") as base, Host.start(Path(base)) as host:
        found = words(ours(host.get("/object_info")))
    ENGLISH.parent.mkdir(parents=True, exist_ok=True)
    ENGLISH.write_text(written(found), "utf-8")
    print(f"{ENGLISH.relative_to(ROOT).as_posix()}: {len(found)} nodes")
    return 0


def ours(definitions: dict[str, Any]) -> dict[str, Any]:
    """The pack's own definitions of a host's `/object_info`."""
    module = f"custom_nodes.{ROOT.name}"
    return {name: definition for name, definition in definitions.items() if definition["python_module"] == module}


def words(definitions: dict[str, Any]) -> dict[str, Any]:
    """Every word that a person sees of these nodes, in the form of a `nodeDefs.json`."""
    return {
        name: {
            "display_name": definition["display_name"],
            "description": definition["description"],
            "inputs": _inputs(definition),
            "outputs": {
                str(index): _entry(label, tooltip)
                for index, (label, tooltip) in enumerate(
                    zip(definition["output_name"], definition["output_tooltips"], strict=True)
                )
            },
        }
        for name, definition in sorted(definitions.items())
    }


def written(found: dict[str, Any]) -> str:
    """The file's text: readable, in the order of the schemas."""
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _inputs(definition: dict[str, Any]) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for group in ("required", "optional"):
        for name, (kind, *rest) in definition["input"].get(group, {}).items():
            options = rest[0] if rest else {}
            tooltip = options.get("tooltip")
            if kind == GROWING:
                # Without a name: the frontend labels these sockets itself, and finds the tooltip by the id only then.
                entries |= {f"{name}_{socket}": _entry(None, tooltip) for socket in options["template"]["names"]}
            else:
                entries[name] = _entry(name, tooltip)
    return entries


def _entry(name: str | None, tooltip: str | None) -> dict[str, str]:
    return {key: text for key, text in (("name", name), ("tooltip", tooltip)) if text}
