"""Mappings of the user's own file, each value with its line: what is wrong is told with the place where it stands.

Knows YAML and nothing of providers. Used by `own_file`.
"""

from __future__ import annotations

from typing import Any

import yaml

from .addresses import checked_base_url
from .errors import ConfigError

FILE = "providers.yaml"


class Mistake(Exception):
    """What is wrong at a place of the file, in words for its author."""

    def __init__(self, node: yaml.Node, what: str) -> None:
        super().__init__(f"{FILE} line {node.start_mark.line + 1}: {what}")


def scalar(node: yaml.Node) -> str | int | float | bool | None:
    """A single value. Raises Mistake."""
    if not isinstance(node, yaml.ScalarNode):
        raise Mistake(node, "here a single value is expected")
    try:
        value = yaml.SafeLoader("").construct_object(node)
    except Exception:  # a 99th of a month, a tag that nobody knows: the library raises what it likes
        raise Mistake(node, f"{str(node.value)[:40]} can't be read; in quotes it is text") from None
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(node.value)


class Told:
    """A mapping of the file. What nobody asks for by `end` is a mistake: a misspelt word must not be dropped in silence."""

    def __init__(self, node: yaml.Node, name: str) -> None:
        self.node, self._name = node, name
        if not isinstance(node, yaml.MappingNode):
            raise Mistake(node, f"{name} is a mapping: names, colons and values")
        self._values: dict[str, yaml.Node] = {}
        self._asked: list[str] = []
        for key, value in node.value:
            word = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
            if not word:
                raise Mistake(key, "a name is expected here")
            if word in self._values:
                raise Mistake(key, f"{word[:40]} stands twice")
            self._values[word] = value

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def items(self) -> list[tuple[str, yaml.Node]]:
        self._asked += self._values
        return list(self._values.items())

    def take(self, name: str) -> yaml.Node | None:
        self._asked.append(name)
        return self._values.get(name)

    def end(self) -> None:
        for name, node in self._values.items():
            if name not in self._asked:
                known = ", ".join(dict.fromkeys(self._asked))
                raise Mistake(node, f"{self._name} has no {name[:40]}: {known}")

    def text(self, name: str) -> str:
        node = self.take(name)
        value = scalar(node) if node is not None else None
        text = "" if value is None else str(value).strip()
        if node is not None and (len(text) > 500 or not text.isprintable()):
            raise Mistake(node, f"{name} is one line of text")
        return text

    def checked(self, name: str, url: str) -> str:
        try:
            return checked_base_url(url, FILE)
        except ConfigError as error:
            raise Mistake(self._values[name], f"{error.what} {error.cure}") from None

    def page(self, name: str) -> str:
        """An address that a person is led to: a link on the pack's own page, so nothing that runs there."""
        text = self.text(name)
        if text and not text.lower().startswith(("https://", "http://")):
            raise Mistake(self._values[name], f"{name} is a web address, for example https://example.com/keys")
        return text

    def number(self, name: str, default: int, least: int, most: int) -> int:
        node = self.take(name)
        if node is None:
            return default
        value = scalar(node)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise Mistake(node, f"{name} is a number from {least} to {most}")
        return value

    def flag(self, name: str, default: bool) -> bool:
        node = self.take(name)
        value = scalar(node) if node is not None else default
        if not isinstance(value, bool):
            raise Mistake(node or self.node, f"{name} is true or false")
        return value

    def choice(self, name: str, values: list[str]) -> str:
        node = self.take(name)
        text = self.text(name)
        if node is not None and text not in values:
            raise Mistake(node, f"{name} is one of: {', '.join(values)}")
        return text

    def words(self, name: str) -> list[str]:
        node = self.take(name)
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            raise Mistake(node, f"{name} is a list, for example [a, b]")
        # 16:9 without quotes is a number to YAML 1.1, in base 60: what was written counts.
        found = [str(each.value) for each in node.value if isinstance(each, yaml.ScalarNode)]
        if len(found) != len(node.value):
            raise Mistake(node, f"{name} is a list of words")
        return found

    def choices(self, name: str, values: list[str]) -> tuple[Any, ...]:
        node = self.take(name)
        found = self.words(name)
        for word in found:
            if word not in values:
                raise Mistake(node or self.node, f"{name} has no {word[:40]}: {', '.join(values)}")
        return tuple(dict.fromkeys(found))

    def map(self, name: str) -> Told | None:
        node = self.take(name)
        if node is None or isinstance(node, yaml.ScalarNode) and node.value in ("", "null", "~"):
            return None
        return Told(node, name)
