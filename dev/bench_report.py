"""One table and one chart of what the benchmarks have measured, for docs/performance.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from .user_error import UserError

Figure = dict[str, Any]
"""What `benchmarks/measuring.Table` writes about one line, and `benchmark`, the name of its benchmark."""

BEGIN, END = "<!-- figures: made by `python3 dev.py bench --docs` -->", "<!-- end of figures -->"
_WIDTH, _LABEL, _ROW, _BAR = 760, 280, 38, 13
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#444}.ours{fill:#d9a400}.theirs{fill:#9aa3ad}"
    "@media(prefers-color-scheme:dark){text{fill:#ccc}.theirs{fill:#66707a}}"
)


def read(path: Path, benchmark: str) -> list[Figure]:
    """The figures that a benchmark has written, one JSON object a line."""
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [{**json.loads(line), "benchmark": benchmark} for line in lines]


def merged(old: Sequence[Figure], new: Sequence[Figure]) -> list[Figure]:
    """The old figures with those of each benchmark that ran anew in their place."""
    ran = {figure["benchmark"] for figure in new}
    found = [figure for figure in old if figure["benchmark"] not in ran] + list(new)
    return sorted(found, key=lambda figure: figure["benchmark"])


def table(figures: Sequence[Figure]) -> str:
    """A Markdown table with a line for each figure."""
    lines = ["| what | figure | bar | |", "|---|---:|---:|---|"]
    title = ""
    for figure in figures:
        if figure["table"] != title:
            title = figure["table"]
            lines.append(f"| **{title}** | | | |")
        sign = "≥" if figure["at_least"] else "≤"
        unit, note = figure["unit"], figure["note"]
        if not is_good(figure):
            note = ("**missed** " if figure["counts"] else "missed on a busy machine; ") + note
        lines.append(
            f"| {figure['name']} | {figure['value']:.2f}{unit} | {sign} {figure['bar']:g}{unit} | {note.strip()} |"
        )
    return "\n".join(lines)


def chart(figures: Sequence[Figure]) -> str:
    """An SVG with two bars for each figure that is held against the partner nodes: what they take, and what we do."""
    pairs = [(figure["name"].split(":")[0], share) for figure in figures if (share := _share_of_partner(figure))]
    height = _ROW * len(pairs) + 46
    room = _WIDTH - _LABEL - 60
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>CPU for a photograph, against ComfyUI's partner nodes</title><style>{_STYLE}</style>",
        '<text x="8" y="20">CPU for a reference: the partner nodes (grey, 100 %) and this pack</text>',
    ]
    for index, (name, share) in enumerate(pairs):
        top = 36 + index * _ROW
        parts += [
            f'<text x="8" y="{top + 18}">{escape(name)}</text>',
            f'<rect class="theirs" x="{_LABEL}" y="{top}" width="{room}" height="{_BAR}" rx="2"/>',
            f'<rect class="ours" x="{_LABEL}" y="{top + _BAR + 1}" width="{room * share:.0f}" height="{_BAR}" rx="2"/>',
            f'<text x="{_LABEL + room * share + 8:.0f}" y="{top + 2 * _BAR}">{share:.0%}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])


def _share_of_partner(figure: Figure) -> float | None:
    """What we take as a share of what the partner nodes take; None for a figure that says nothing about their CPU."""
    if "tensor_to_base64_string" not in figure["table"] or not figure["name"].endswith("times less CPU"):
        return None
    return 1 / float(figure["value"])


def is_good(figure: Figure) -> bool:
    return bool(figure["value"] >= figure["bar"] if figure["at_least"] else figure["value"] <= figure["bar"])


def write(docs: Path, figures: Sequence[Figure]) -> None:
    """Puts table and chart into the documents. Figures of benchmarks that did not run stay. Raises UserError."""
    page, kept = docs / "performance.md", docs / "performance.json"
    text = page.read_text("utf-8")
    if BEGIN not in text or END not in text:
        raise UserError(f"{page} has no place for the figures: {BEGIN} ... {END}.")
    old = json.loads(kept.read_text("utf-8")) if kept.exists() else []
    every = merged(old, figures)
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    kept.write_text(json.dumps(every, indent=1) + "\n", "utf-8")
    page.write_text(f"{before}{BEGIN}\n{table(every)}\n{END}{after}", "utf-8")
    (docs / "performance.svg").write_text(chart(every), "utf-8")
