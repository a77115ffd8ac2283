"""The checks of the plain modules in `web/`: types by `tsc`, rules by `eslint`, as command lines.

It runs nothing and fetches nothing: `node.py` does that. Both tools only read; nothing is compiled. Called by
`test_command.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .node import Node

STAGES = ("tsc", "eslint")


@dataclass(frozen=True)
class Check:
    """A command that is to be run in the clone's root and ends with 0 when it is content."""

    stage: str
    command: list[str]
    more: Mapping[str, str] = field(default_factory=dict)
    """Variables it needs besides the others."""


def checks(node: Node, root: Path) -> list[Check]:
    """One check for each of STAGES, in that order, for the clone at `root`."""
    ours = root / "dev" / "javascript"
    types = [str(node.packages / "typescript" / "bin" / "tsc"), "--project", str(ours / "tsconfig.json")]
    rules = [str(node.packages / "eslint" / "bin" / "eslint.js"), "--config", str(ours / "eslint.config.cjs")]
    return [
        # The packages lie outside of the clone: this is where tsc looks for what it doesn't find beside a module.
        Check("tsc", [str(node.program), *types, "--typeRoots", str(node.packages)]),
        Check(
            "eslint",
            [str(node.program), *rules, "--max-warnings", "0", "--no-error-on-unmatched-pattern", "web"],
            {"NODE_PATH": str(node.packages)},
        ),
    ]
