"""Mappings of the user's own file, each value with its line: what is wrong is told with the place where it stands.

Knows YAML and nothing of providers. Used by `own_file`.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import yaml

from ..errors import ConfigError
from ..http.url_policy import checked_base_url

FILE = "providers.yaml"


class YamlError(Exception):
    """What is wrong at a place of the file, in words for its author."""

    def __init__(self, node: yaml.Node, what: str) -> None:
        super().__init__(f"{FILE} line {node.start_mark.line + 1}: {what}")


def scalar(node: yaml.Node) -> str | int | float | bool | None:
    """A single value. Raises Mistake."""
    if not isinstance(node, yaml.ScalarNode):
        raise YamlError(node, "here a single value is expected")
    try:
        value = yaml.SafeLoader("").construct_object(node)
    except Exception:  # a 99th of a month, a tag that nobody knows: the library raises what it likes
        raise YamlError(node, f"{str(node.value)[:40]} can't be read; in quotes it is text") from None
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(node.value)


Entry = tuple[yaml.Node, yaml.Node]
"""A name and what it has, where they stand."""


def entries(node: yaml.Node | None, name: str, mistakes: list[str]) -> dict[str, Entry]:
    """The entries of a mapping that have nothing to do with each other: a mistake about one is added to `mistakes` and
    costs that one alone. Of two with the same name the first counts."""
    if node is None or _is_nothing(node):
        return {}
    if not isinstance(node, yaml.MappingNode):
        mistakes.append(str(YamlError(node, f"{name} is a mapping: names, colons and values")))
        return {}
    found: dict[str, Entry] = {}
    for key, value in node.value:
        word = _word(key)
        if not word:
            mistakes.append(str(YamlError(key, "a name is expected here")))
        elif word in found:
            mistakes.append(str(YamlError(key, f"{word[:40]} stands twice, and the first one counts")))
        else:
            found[word] = (key, value)
    return found


def _word(key: yaml.Node) -> str:
    return str(key.value) if isinstance(key, yaml.ScalarNode) else ""


def _is_nothing(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value in ("", "null", "~")


class YamlReader:
    """A mapping of the file. What nobody asks for by `end` is a mistake: a misspelt word must not be dropped in silence."""

    def __init__(self, node: yaml.Node, name: str, key: yaml.Node | None = None) -> None:
        """`key` is where its name stands: what is missing in it is told there, for a block begins a line later."""
        self.key, self._name = key or node, name
        if not isinstance(node, yaml.MappingNode):
            raise YamlError(node, f"{name} is a mapping: names, colons and values")
        self._values: dict[str, yaml.Node] = {}
        self._keys: dict[str, yaml.Node] = {}
        self._asked: list[str] = []
        for each, value in node.value:
            word = _word(each)
            if not word:
                raise YamlError(each, "a name is expected here")
            if word in self._values:
                raise YamlError(each, f"{word[:40]} stands twice")
            self._values[word], self._keys[word] = value, each

    def __contains__(self, name: str) -> bool:
        self._asked.append(name)  # a name that is asked about is a known one
        return name in self._values

    def items(self) -> list[tuple[str, Entry]]:
        self._asked += self._values
        return [(name, (self._keys[name], value)) for name, value in self._values.items()]

    def at(self, name: str) -> yaml.Node:
        """Where a name stands; the whole where it doesn't."""
        return self._keys.get(name, self.key)

    def take(self, name: str) -> yaml.Node | None:
        self._asked.append(name)
        return self._values.get(name)

    def end(self) -> None:
        for name, key in self._keys.items():
            if name not in self._asked:
                known = ", ".join(dict.fromkeys(self._asked))
                raise YamlError(key, f"{self._name} has no {name[:40]}: {known}")

    def text(self, name: str) -> str:
        node = self.take(name)
        value = scalar(node) if node is not None else None
        # 2.10 is a number to YAML, and no is a refusal: what was written counts.
        text = "" if node is None or value is None else str(node.value).strip()
        if node is not None and (len(text) > 500 or not text.isprintable()):
            raise YamlError(node, f"{name} is one line of text")
        return text

    def checked(self, name: str, url: str) -> str:
        try:
            return checked_base_url(url, FILE)
        except ConfigError as error:
            raise YamlError(self._values[name], f"{error.what} {error.cure}") from None

    def page(self, name: str) -> str:
        """An address that a person is led to: a link on the pack's own page, so nothing that runs there."""
        text = self.text(name)
        if text and not text.lower().startswith(("https://", "http://")):
            raise YamlError(self._values[name], f"{name} is a web address, for example https://example.com/keys")
        return text

    def proxy(self, name: str) -> str:
        text = self.text(name)
        try:
            parts = urlsplit(text if "://" in text else f"http://{text}")
            known = parts.scheme in ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
            good = known and bool(parts.hostname) and parts.port != 0 and " " not in text
        except ValueError:
            good = False
        if text and not good:
            raise YamlError(self._values[name], f"{name} is an address, for example http://proxy.example:8080")
        return text

    def number(self, name: str, default: int, least: int, most: int) -> int:
        node = self.take(name)
        if node is None:
            return default
        value = scalar(node)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise YamlError(node, f"{name} is a number from {least} to {most}")
        return value

    def flag(self, name: str, default: bool) -> bool:
        node = self.take(name)
        value = scalar(node) if node is not None else default
        if not isinstance(value, bool):
            raise YamlError(node or self.key, f"{name} is true or false")
        return value

    def choice(self, name: str, values: list[str]) -> str:
        node = self.take(name)
        text = self.text(name)
        if node is not None and text not in values:
            raise YamlError(node, f"{name} is one of: {', '.join(values)}")
        return text

    def words(self, name: str) -> list[str]:
        node = self.take(name)
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            raise YamlError(node, f"{name} is a list, for example [a, b]")
        # 16:9 without quotes is a number to YAML 1.1, in base 60: what was written counts.
        found = [str(each.value) for each in node.value if isinstance(each, yaml.ScalarNode)]
        if len(found) != len(node.value):
            raise YamlError(node, f"{name} is a list of words")
        return found

    def numbers(self, name: str, least: float, most: float) -> list[float]:
        """A list of numbers; [] where there is none."""
        node = self.take(name)
        found = []
        for word, place in zip(self.words(name), node.value if node is not None else (), strict=True):
            value = scalar(place)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
                raise YamlError(place, f"{name} has numbers from {least:g} to {most:g}, and not {word[:20]}")
            found.append(value)
        return found

    def path(self, name: str) -> str:
        """A path below an address; "" where none is given."""
        found = self.text(name)
        if found and (not found.startswith("/") or " " in found):
            raise YamlError(self.at(name), f"{name} is a path: it begins with / and has no spaces")
        return found

    def choices(self, name: str, values: list[str]) -> tuple[Any, ...]:
        node = self.take(name)
        found = self.words(name)
        for place, word in zip(node.value if node is not None else (), found, strict=True):
            if word not in values:
                raise YamlError(place, f"{name} has no {word[:40]}: {', '.join(values)}")
        return tuple(dict.fromkeys(found))

    def map(self, name: str) -> YamlReader | None:
        node = self.take(name)
        return None if node is None or _is_nothing(node) else YamlReader(node, name, self._keys[name])
