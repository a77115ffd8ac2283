"""Which stored pictures were edited with a mask: the node's output then keeps its input outside of the mask, and the stored
picture, which is the provider's own, does not."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

from ..core.ledger.history import History, HistoryEntry
from ..nodes.origin import has_mask


class MaskedEdits:
    """Remembers the answer for the nodes that were asked about last: a workflow is not read again for each list."""

    def __init__(self, limit: int) -> None:
        """`limit`: so many nodes are remembered."""
        self._limit = limit
        self._known: OrderedDict[tuple[str, str], bool] = OrderedDict()
        """By id of the workflow and id of the node in its prompt."""
        self._lock = threading.Lock()

    def among(self, history: History, entries: Sequence[HistoryEntry]) -> set[str]:
        """The uids of those that were edited with a mask, as far as their workflows are stored."""
        made_by = history.nodes_of([entry.uid for entry in entries if entry.operation == "edit" and entry.file])
        with self._lock:
            answers = {each: self._known[each] for each in made_by.values() if each in self._known}
        for identity in {name for name, node in made_by.values() if (name, node) not in answers}:
            prompt = history.prompt(identity)
            nodes = {node for name, node in made_by.values() if name == identity}
            answers |= {(identity, node): has_mask(prompt, node) for node in nodes}
        self._remember(answers)
        return {uid for uid, each in made_by.items() if answers[each]}

    def _remember(self, answers: dict[tuple[str, str], bool]) -> None:
        with self._lock:
            for each, answer in answers.items():
                self._known[each] = answer
                self._known.move_to_end(each)
            while len(self._known) > self._limit:
                self._known.popitem(last=False)
