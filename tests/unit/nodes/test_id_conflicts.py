"""Node ids that another pack has, too: whose node the host runs, and what is said of it."""

from __future__ import annotations

from typing import Any

from pack.nodes.id_conflicts import Conflict, find, messages, pack_of


def node_class(module: str) -> Any:
    return type("SomeNode", (), {"RELATIVE_PYTHON_MODULE": module})


OURS = node_class("custom_nodes.this-pack")
THEIRS = node_class("custom_nodes.other.pack")


def test_a_node_that_is_ours_alone_is_no_conflict() -> None:
    assert find({"Make": OURS}, {}, {"Make": OURS, "Else": THEIRS}) == []


def test_loaded_later_the_other_has_taken_it() -> None:
    assert find({"Make": OURS}, {}, {"Make": THEIRS}) == [Conflict("Make", "other.pack", taken=True)]


def test_loaded_earlier_the_other_was_replaced() -> None:
    assert find({"Make": OURS}, {"Make": THEIRS}, {"Make": OURS}) == [Conflict("Make", "other.pack", taken=False)]


def test_a_third_pack_that_took_it_from_both_is_the_one_named() -> None:
    third = node_class("custom_nodes.third")
    assert find({"Make": OURS}, {"Make": THEIRS}, {"Make": third}) == [Conflict("Make", "third", taken=True)]


def test_before_the_host_has_registered_ours_nothing_is_taken() -> None:
    assert find({"Make": OURS}, {}, {}) == []


def test_a_node_of_the_host_itself_is_comfyui_s() -> None:
    assert pack_of(node_class("comfy_extras.nodes_banana")) == "ComfyUI" == pack_of(object)


def test_one_message_for_each_pack_and_kind_with_the_way_out() -> None:
    found = [Conflict("A", "x", True), Conflict("B", "x", True), Conflict("C", "x", False), Conflict("D", "y", True)]
    first, second, third = map(str, messages(found))
    assert first.startswith("A, B:") and "custom_nodes/x" in first and "restart" in first
    assert second.startswith("C:") and "x" in second and third.startswith("D:") and "custom_nodes/y" in third
