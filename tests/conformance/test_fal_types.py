"""fal's published types of its endpoints accept every request that we send.

The judge is `@fal-ai/client`, pinned in `dev/javascript/package-lock.json` with the TypeScript compiler, which reads its
types: each request is written down as a literal that has to satisfy the type of its endpoint, where an unknown field is
an error. Nothing of it is run. Needs Node and the packages that `dev.py test` fetches for `web/`; skipped without them.

The types on npm are older than some of what fal serves: the endpoints below `google/` and the field `system_prompt` are in
fal's own repository and on its pages only. A test each fails once the types know them.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from judging import judged
from pack.core.providers import BUILT_IN
from pack.dev import node
from sent_requests import sent_requests

ENDPOINT = re.compile(r"/((?:fal-ai|google)/.+)")
NEWER_FIELD = "system_prompt"
TYPED = {f"fal-ai/{name}{end}" for name in ("nano-banana", "nano-banana-2", "nano-banana-pro") for end in ("", "/edit")}
"""The endpoints that the types know."""
_COMPLAINT = re.compile(r"^.*?sent\.ts\((\d+),\d+\): error (TS\d+: .*)$", re.MULTILINE)
Literal = tuple[str, dict[str, Any]]
"""An endpoint and the body that is sent to it."""


def complaints(node_tools: node.Node, folder: Path, literals: Iterable[Literal]) -> dict[int, str]:
    """What the compiler says, by the number of the literal; raises AssertionError where it fails otherwise."""
    types = node_tools.packages / "@fal-ai" / "client" / "src" / "types" / "endpoints"
    lines = [f"import type {{ EndpointTypeMap }} from {json.dumps(types.as_posix())};"]
    lines += [
        f'export const _{number} = {json.dumps(body)} satisfies EndpointTypeMap["{endpoint}"]["input"];'
        for number, (endpoint, body) in enumerate(literals)
    ]
    file = folder / "sent.ts"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    compiler = node_tools.packages / "typescript" / "bin" / "tsc"
    options = ["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--pretty", "false"]
    options += ["--module", "esnext", "--moduleResolution", "bundler", "--types", ""]
    done = subprocess.run(
        [str(node_tools.program), str(compiler), *options, str(file)],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=240,
    )
    found = {int(line) - 2: words for line, words in _COMPLAINT.findall(done.stdout)}
    assert bool(found) == (done.returncode != 0), done.stdout[-2000:] + done.stderr[-2000:]
    return found


def literals() -> dict[str, Literal]:
    """Every request by its words, without what is newer than the types; pictures are short strings, as in the types."""
    found = {}
    for sent in sent_requests("fal"):
        endpoint = ENDPOINT.fullmatch(sent.path)
        assert endpoint is not None, sent.path
        body = {name: value for name, value in sent.body.items() if name != NEWER_FIELD}
        if "image_urls" in body:
            body["image_urls"] = [url[:30] for url in body["image_urls"]]
        if endpoint[1] in TYPED:
            found[str(sent)] = (endpoint[1], body)
    return found


def test_every_request_is_one_of_the_types(node_tools: node.Node, tmp_path: Path) -> None:
    sent = literals()
    names = list(sent)
    wrong = {names[number]: words for number, words in complaints(node_tools, tmp_path, sent.values()).items()}
    assert not wrong
    assert {endpoint for endpoint, _ in sent.values()} == TYPED and len(sent) > 500
    fields = {name for _, body in sent.values() for name in body}
    assert fields == {
        "prompt",
        "image_urls",
        *(field.name for field in BUILT_IN["fal"].endpoints["edit"].fields.values()),
    } - {NEWER_FIELD}
    version = json.loads((node_tools.packages / "@fal-ai" / "client" / "package.json").read_text("utf-8"))["version"]
    judged("fal", "@fal-ai/client", version, "every request to a fal-ai/ endpoint, but system_prompt", "schema")


@pytest.mark.parametrize(
    ("endpoint", "change"),
    [
        ("fal-ai/nano-banana-2", {"n": 1}),
        ("fal-ai/nano-banana-2", {"resolution": "512px"}),
        ("fal-ai/nano-banana-2", {"num_images": "2"}),
        ("fal-ai/nano-banana-2", {"safety_tolerance": 4}),
        ("fal-ai/nano-banana-2", {"thinking_level": "medium"}),
        ("fal-ai/nano-banana", {"aspect_ratio": "auto"}),
        ("fal-ai/nano-banana", {"resolution": "1K"}),
        ("fal-ai/nano-banana-pro", {"aspect_ratio": "8:1"}),
        ("fal-ai/nano-banana-pro/edit", {"image_urls": "x"}),
        ("fal-ai/nano-banana-2", {NEWER_FIELD: "x"}),
        ("fal-ai/nano-banana-pro", {NEWER_FIELD: "x"}),
        *((f"google/{name}", {}) for name in ("nano-banana-2.1", "nano-banana-2-lite", "nano-banana-lite")),
    ],
)
def test_the_types_notice_what_is_wrong_and_what_is_newer(
    node_tools: node.Node, tmp_path: Path, endpoint: str, change: dict[str, Any]
) -> None:
    """Guards the test above. Where a newer name is no error any more, the types know it: leave it out no longer."""
    good: dict[str, Any] = {"prompt": "x"} | ({"image_urls": ["x"]} if endpoint.endswith("/edit") else {})
    typed: list[Literal] = [(endpoint, good)] if endpoint in TYPED else []
    found = complaints(node_tools, tmp_path, [*typed, (endpoint, good | change)])
    assert set(found) == {len(typed)}


def test_what_the_types_do_not_know_is_named(node_tools: node.Node) -> None:
    """Every endpoint of ours is one of the types, or one that is known to be newer."""
    ours = {
        offer.model_id
        for model in BUILT_IN["fal"].models
        for offer in (model.generate, model.edit)
        if offer is not None and not offer.model_id.startswith("google/")
    }
    assert ours == TYPED
