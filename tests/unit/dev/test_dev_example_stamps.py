"""What is written into the nodes of an example."""

import json

from pack.dev.example_stamps import stamped

PROJECT = 'name = "some-pack"\nversion = "1.2.3"\nRepository = "https://github.com/someone/some-pack"\n'
STAMP = {"cnr_id": "some-pack", "aux_id": "someone/some-pack", "ver": "1.2.3"}


def test_ours_are_stamped_in_subgraphs_too_and_others_are_left() -> None:
    def graph() -> list[dict[str, object]]:
        return [
            {"type": "NanoBananaEdit", "properties": {"Node name for S&R": "x", "ver": "0.0.1"}},
            {"type": "SaveImage", "properties": {"cnr_id": "comfy-core"}},
        ]

    text = json.dumps({"nodes": graph(), "definitions": {"subgraphs": [{"nodes": graph()}]}})
    made = stamped(text, PROJECT)
    assert stamped(made, PROJECT) == made and made.endswith("}\n")
    workflow = json.loads(made)
    for found in (workflow["nodes"], workflow["definitions"]["subgraphs"][0]["nodes"]):
        assert found[0]["properties"] == {"Node name for S&R": "x"} | STAMP
        assert found[1]["properties"] == {"cnr_id": "comfy-core"}
