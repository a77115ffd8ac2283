"""The table and the chart that the benchmarks' figures become."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from pack.dev import bench_report
from pack.dev.user_error import UserError


def figure(name: str, value: float, bar: float, **changes: Any) -> dict[str, Any]:
    usual = {"table": "against tensor_to_base64_string", "unit": "x", "at_least": True, "note": "", "counts": True}
    return {**usual, "benchmark": "codec", "name": name, "value": value, "bar": bar, **changes}


def test_a_missed_bar_is_named_and_a_held_one_is_not() -> None:
    good, missed = figure("a", 5, 4), figure("b", 3, 4)
    lines = bench_report.table([good, missed]).splitlines()
    assert lines[-2].startswith("| a | 5.00x | ≥ 4x |") and "missed" not in lines[-2]
    assert "**missed**" in lines[-1]
    busy = bench_report.table([figure("c", 2, 1, at_least=False, counts=False)]).splitlines()[-1]
    assert "busy machine" in busy and "**" not in busy


def test_the_chart_draws_what_is_held_against_the_partner_nodes() -> None:
    figures = [
        figure("a <b>: times less CPU", 4, 1),
        figure("bytes", 0.9, 1),
        figure("x: times less CPU", 2, 1, table="other"),
    ]
    chart = ElementTree.fromstring(bench_report.chart(figures))
    bars = [each for each in chart.iter() if each.tag.endswith("rect")]
    widths = [float(each.attrib["width"]) for each in bars]
    assert len(bars) == 2 and widths[1] == pytest.approx(widths[0] / 4, abs=1)


def test_figures_of_what_did_not_run_stay(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{bench_report.BEGIN}\nold\n{bench_report.END}\nafter\n", "utf-8")
    bench_report.write(tmp_path, [figure("one", 1, 1), figure("other", 7, 1, benchmark="engine")])
    bench_report.write(tmp_path, [figure("two", 2, 1)])
    text = page.read_text("utf-8")
    assert "| two |" in text and "| other |" in text and "| one |" not in text and "old" not in text
    assert text.startswith("before\n") and text.endswith("\nafter\n")
    assert {each["name"] for each in json.loads((tmp_path / "performance.json").read_text())} == {"two", "other"}


def test_a_page_without_a_place_for_figures_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "performance.md").write_text("nothing", "utf-8")
    with pytest.raises(UserError, match="no place"):
        bench_report.write(tmp_path, [])
