"""Writes into each node of an example whose pack it is, so that a person without the pack is told what to install.

`dev.py examples` does it, and a test holds it. The properties are those of the frontend and ComfyUI-Manager: `cnr_id` is the id
in the registry, `aux_id` the repository's owner and name, `ver` the version.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

PACK_NODES = ("NanoBananaGenerate", "NanoBananaEdit", "NanoBananaConversation", "ProviderConfig")
GITHUB = "https://github.com/"


def stamp(project: str) -> dict[str, str]:
    """The three properties, from the text of pyproject.toml (Python 3.10 can't read its format)."""

    def value(name: str) -> str:
        found = re.search(rf'^{name} = "(.+)"$', project, re.M)
        if found is None:
            raise ValueError(f"pyproject.toml has no {name}")
        return found[1]

    return {
        "cnr_id": value("name"),
        "aux_id": value("Repository").removeprefix(GITHUB),
        "ver": value("version"),
    }


def nodes(workflow: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every node, those in subgraphs, too."""
    yield from workflow["nodes"]
    for subgraph in (workflow.get("definitions") or {}).get("subgraphs") or ():
        yield from subgraph["nodes"]


def stamped(text: str, project: str) -> str:
    """A workflow's file with this pack's nodes stamped, in the form in which examples are kept."""
    workflow = json.loads(text)
    ours = stamp(project)
    for node in nodes(workflow):
        if node["type"] in PACK_NODES:
            others = {name: value for name, value in node["properties"].items() if name not in ours}
            node["properties"] = ours | others
    return json.dumps(workflow, indent=1, ensure_ascii=False) + "\n"
