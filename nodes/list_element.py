"""What one element of a linked list asks for. Without a list a node has one element."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..core.execution.image_task import ImageTask
from ..core.planning.choice import ProviderChoice
from ..core.request import Request
from .output_image import OutputImage


@dataclass(frozen=True)
class NodeRequests:
    """The requests that the values of a node make, and how their results become output pictures."""

    requests: Sequence[Request]
    choice: ProviderChoice | None
    output_of: Callable[[ImageTask], OutputImage]
    """Makes an output picture of a result, or of the original frame where there is no result."""
    notices: Sequence[str] = ()
    reference_format: str = "auto"
