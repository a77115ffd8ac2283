"""Reads what the ProviderConfig nodes of a prompt choose, without running them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.errors import NanoBananaError
from ..core.errors.messages import msg
from ..core.planning.choice import MOST_PROVIDERS, ProviderChoice
from ..core.planning.resolver import ProviderResolver
from .prompt_graph import PromptGraph, inputs_of, is_link, kind_of
from .provider_config import PARALLEL, TIMEOUT
from .value_checks import number_of, text_of, wrong

Choice = tuple["ProviderChoice | None", bool]
"""What a node chooses, and whether all of it is known before the run."""
_WIDGETS: dict[str, tuple[int, int] | None] = {
    "provider": None,
    "model": None,
    "profile": None,
    "timeout": TIMEOUT,
    "max_parallel": PARALLEL,
    "model_override": None,
}
"""Inputs of ProviderConfig; for the numbers the least and the most."""


class PromptChoices:
    """The choices of a prompt. Each ProviderConfig is read once, however many nodes it is connected to."""

    def __init__(self, graph: PromptGraph, resolver: ProviderResolver) -> None:
        self._graph, self._resolver = graph, resolver
        self._found: dict[str, Choice | NanoBananaError] = {}
        """Node id -> what it chooses, or why it would fail."""

    def choice_of(self, inputs: Mapping[str, Any]) -> Choice:
        """What is connected to the input `provider`; (None, True) where nothing is. Raises what the nodes would raise."""
        if "provider" not in inputs:
            return None, True
        link = inputs["provider"]
        if not is_link(link) or not link:
            raise wrong("provider", link, msg("prompt_choices.provider_config_output"))
        if kind_of(self._graph.source(link)) != "ProviderConfig":
            return None, False
        name = str(link[0])
        if name not in self._found:
            try:
                self._found[name] = self._chain(link)
            except NanoBananaError as error:
                self._found[name] = error
        found = self._found[name]
        if isinstance(found, NanoBananaError):
            raise found
        return found

    def _chain(self, link: Any) -> Choice:
        """A ProviderConfig with its fallbacks."""
        nodes: list[Mapping[str, Any]] = []
        known = True
        while len(nodes) < MOST_PROVIDERS + 1:
            if not is_link(link):
                raise wrong("fallback", link, msg("prompt_choices.provider_config_output"))
            node = self._graph.source(link)
            if kind_of(node) != "ProviderConfig" or not isinstance(node.get("inputs"), Mapping):
                known = False
                break
            nodes.append(inputs_of(node))
            if "fallback" not in nodes[-1]:
                break
            link = nodes[-1]["fallback"]
        choice: ProviderChoice | None = None
        for inputs in reversed(nodes):
            values, all_known = self._values(inputs)
            known = known and all_known
            choice = ProviderChoice(**values, fallback=choice)
        if choice is not None:
            # As ProviderConfig itself does when it runs, so that a missing key is shown before.
            self._resolver.check(choice)
        return choice, known

    def _values(self, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
        """The values of one ProviderConfig, and whether they are known before the run. Raises InvalidInput."""
        defaults = ProviderChoice()
        values: dict[str, Any] = {}
        known = True
        for name, bounds in _WIDGETS.items():
            value = inputs.get(name, getattr(defaults, name))
            if is_link(value):
                value = self._graph.constant(value)
                if value is None:
                    known = False
                    continue
            values[name] = text_of(name, value) if bounds is None else number_of(name, value, *bounds)
        values["model_override"] = values.get("model_override", "").strip()
        return values, known
