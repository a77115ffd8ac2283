"""One picture on its way to the outputs of a node."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from ..core.execution.image_task import ImageTask
from .alignment.result import Alignment


@dataclass
class OutputImage:
    """One output picture."""

    image: torch.Tensor
    """[H, W, 3]"""
    mask: torch.Tensor
    """[H, W], 1 - alpha"""
    task: ImageTask
    source: str
    """"provider", "store" or "original"."""
    original: torch.Tensor | None = None
    """The input frame, [H, W, 3]; None for Generate."""
    notices: list[str] = field(default_factory=list)
    alignment: Alignment | None = None
    """What was measured against the original; None where nothing was."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What `info` says of it beyond what it says of every picture."""
