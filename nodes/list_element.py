"""One element of a linked list: what it asks for and what became of it. Without a list a node has one element."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from comfy_api.latest import io

from ..core.errors import NanoBananaError
from ..core.execution.image_task import ImageTask
from ..core.execution.report import Report
from ..core.planning.choice import ProviderChoice
from ..core.providers.spec import Operation
from ..core.request import Options, Request
from .inputs import BLOCK, FAIL, KEEP, ORIGINAL
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


class Element:
    """`report` is that of its pictures; one whose values make no request has one picture, which failed."""

    def __init__(self, operation: Operation, requested: Callable[[], Awaitable[NodeRequests]], on_failure: str) -> None:
        """`requested` reads its values and raises NanoBananaError for one that can't be taken."""
        self._operation, self._requested = operation, requested
        is_known = isinstance(on_failure, str) and on_failure in (KEEP, FAIL, BLOCK, ORIGINAL)
        self.on_failure = on_failure if is_known else KEEP
        self.asked: NodeRequests | None = None
        self.refusal: NanoBananaError | None = None
        """Why nothing of it was sent."""
        self.report = Report([])
        self.output: io.NodeOutput | None = None

    async def read(self) -> None:
        """Reads its values."""
        try:
            self.asked = await self._requested()
        except NanoBananaError as error:
            self.refuse(error)

    def refuse(self, error: NanoBananaError) -> None:
        """Fails all of its pictures."""
        self.refusal = error
        requests = self.asked.requests if self.asked else [Request(self._operation, "", Options())]
        tasks = [ImageTask(slot, request, error=error) for request in requests for slot in request.slots()]
        self.report = Report(tasks, notices=list(self.report.notices))

    @property
    def is_incomplete(self) -> bool:
        """Whether at least one of its pictures failed."""
        return bool(self.report.failed)

    @property
    def has_nothing(self) -> bool:
        """Whether all of its pictures failed."""
        return self.is_incomplete and not self.report.completed and not self.report.ordered

    @property
    def runs_again(self) -> bool:
        """Whether the host must not take its outputs from its cache: something failed, or arrives later."""
        return self.is_incomplete or bool(self.report.ordered)

    @property
    def output_tasks(self) -> list[ImageTask]:
        """The pictures that its outputs have: results, and where the original frame is kept, those that failed, too."""
        keeps_originals = self.on_failure == ORIGINAL and self.asked is not None
        return [task for task in self.report.tasks if task.result or keeps_originals]
