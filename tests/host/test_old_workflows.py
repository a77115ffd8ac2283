"""Every workflow of every version goes on running. The folder only grows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pack.tests.host.kit import Bench, colours

OLD = Path(__file__).parent / "old_workflows"


@pytest.mark.parametrize("path", sorted(OLD.glob("*.json")), ids=lambda path: path.stem)
def test_an_old_prompt_runs(bench: Bench, path: Path) -> None:
    bench.put("example.png", colours(768, 768))
    ran = bench.run(json.loads(path.read_text("utf-8")))
    assert ran.status == "success", ran.error or ran.refusal
    assert any(output.get("images") for output in ran.outputs.values())


@pytest.mark.parametrize("path", sorted((OLD / "ui").glob("*.json")), ids=lambda path: path.stem)
def test_the_widget_values_of_an_old_graph_still_fit(bench: Bench, path: Path) -> None:
    """Saved values are positional: each must be of the kind that its widget has today."""
    kinds = {"INT": int, "BOOLEAN": bool, "STRING": str, "COMBO": str}
    for old in json.loads(path.read_text("utf-8"))["nodes"]:
        if old["type"] not in ("ProviderConfig", "NanoBananaGenerate", "NanoBananaEdit"):
            continue
        definition = bench.host.get(f"/object_info/{old['type']}")[old["type"]]
        inputs = {**definition["input"].get("required", {}), **definition["input"].get("optional", {})}
        order = [*definition["input_order"].get("required", []), *definition["input_order"].get("optional", [])]
        widgets = [(name, *inputs[name]) for name in order if inputs[name][0] in kinds]
        expected = []
        for _, kind, options in widgets:
            expected.append((kind, options))
            if options.get("control_after_generate"):
                expected.append(("STRING", {}))
        assert len(old["widgets_values"]) <= len(expected)
        for value, (kind, options) in zip(old["widgets_values"], expected, strict=False):
            assert isinstance(value, kinds[kind])
            if kind == "COMBO":
                assert value in options["options"]
