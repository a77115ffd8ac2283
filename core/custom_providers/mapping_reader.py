"""Reads the mapping that describes a provider, whether it is in `providers.yaml` or comes from the Settings form.

YAML is composed into nodes that know their line; `form_node` makes the same nodes, without a line, from the form's JSON. So
both are checked by the same code with the same messages, and a message has a line where there is one. Knows nothing of
providers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import yaml

from ..errors import ConfigError
from ..errors.messages import msg
from ..http.url_policy import checked_base_url

FILE = "providers.yaml"
SETTINGS = "Settings"
_LONGEST_TEXT = 500
_LONGEST_LABEL = 60
_DEEPEST_FORM = 4


class MappingError(Exception):
    """What is wrong in a mapping, for its author: with the line of `node` where it comes from the file."""

    def __init__(self, node: yaml.Node, what: str, cure: str = "") -> None:
        line = f"{FILE} line {node.start_mark.line + 1}: " if node.start_mark else ""
        super().__init__(f"{line}{what} {cure}".strip())
        self.what, self.cure = what, cure


def form_node(value: Any, depth: int = 0) -> yaml.Node:
    """`value` of a form's JSON as a node. Raises MappingError where it is nested more deeply than any form."""
    if depth > _DEEPEST_FORM:
        raise MappingError(form_node(None), msg("mapping_reader.nested_too_deeply"))
    if isinstance(value, dict):
        pairs = [(form_node(str(name)), form_node(each, depth + 1)) for name, each in value.items()]
        return yaml.MappingNode("tag:yaml.org,2002:map", pairs)
    if isinstance(value, list):
        return yaml.SequenceNode("tag:yaml.org,2002:seq", [form_node(each, depth + 1) for each in value])
    if value is None:
        return yaml.ScalarNode("tag:yaml.org,2002:null", "null")
    if isinstance(value, bool):
        return yaml.ScalarNode("tag:yaml.org,2002:bool", "true" if value else "false")
    kind = {int: "int", float: "float"}.get(type(value), "str")
    return yaml.ScalarNode(f"tag:yaml.org,2002:{kind}", str(value))


def scalar(node: yaml.Node) -> str | int | float | bool | None:
    """A single value. Raises MappingError."""
    if not isinstance(node, yaml.ScalarNode):
        raise MappingError(node, msg("mapping_reader.single_value_expected"))
    try:
        value = yaml.SafeLoader("").construct_object(node)
    except Exception:  # a 99th of a month, an unknown tag: the library raises exceptions of many classes
        raise MappingError(node, msg("mapping_reader.value_needs_quotes", node=str(node.value)[:40])) from None
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(node.value)


Entry = tuple[yaml.Node, yaml.Node]
"""The nodes of a key and of its value."""


def entries(node: yaml.Node | None, name: str, errors: list[str]) -> dict[str, Entry]:
    """The entries of a mapping that are independent of each other: an error in one is added to `errors` and leaves out
    that one alone. Of two with the same name the first counts."""
    if node is None or _is_null(node):
        return {}
    if not isinstance(node, yaml.MappingNode):
        errors.append(str(MappingError(node, msg("mapping_reader.must_be_mapping", name=name))))
        return {}
    found: dict[str, Entry] = {}
    for key, value in node.value:
        word = _key_text(key)
        if not word:
            errors.append(str(MappingError(key, msg("mapping_reader.name_expected"))))
        elif word in found:
            errors.append(str(MappingError(key, msg("mapping_reader.duplicate_name", word=word[:40]))))
        else:
            found[word] = (key, value)
    return found


def _key_text(key: yaml.Node) -> str:
    return str(key.value) if isinstance(key, yaml.ScalarNode) else ""


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value in ("", "null", "~")


class MappingReader:
    """A mapping whose names are asked for one by one. A name that was not asked for before `end` is an error, so that a
    misspelt one isn't dropped in silence. Every method raises MappingError."""

    def __init__(self, node: yaml.Node, name: str, key: yaml.Node | None = None, *, empty_name: bool = False) -> None:
        """`key` is the node of the mapping's own name: what is missing in the mapping is reported at its line, because
        a block begins a line later. `empty_name`: whether a name may be empty."""
        self.key, self._name = key or node, name
        if not isinstance(node, yaml.MappingNode):
            raise MappingError(node, msg("mapping_reader.must_be_mapping", name=name))
        self._values: dict[str, yaml.Node] = {}
        self._keys: dict[str, yaml.Node] = {}
        self._asked: list[str] = []
        for each, value in node.value:
            word = _key_text(each)
            if not word and not (empty_name and isinstance(each, yaml.ScalarNode)):
                raise MappingError(each, msg("mapping_reader.name_expected"))
            if word in self._values:
                raise MappingError(each, msg("mapping_reader.entry_twice", word=word[:40]))
            self._values[word], self._keys[word] = value, each

    @property
    def source(self) -> str:
        """Where the mapping comes from, for messages and as the source of a price."""
        return FILE if self.key.start_mark else SETTINGS

    def __contains__(self, name: str) -> bool:
        self._asked.append(name)  # a name that is asked about is a known one
        return name in self._values

    def items(self) -> list[tuple[str, Entry]]:
        self._asked += self._values
        return [(name, (self._keys[name], value)) for name, value in self._values.items()]

    def at(self, name: str) -> yaml.Node:
        """The key of an entry; that of the whole mapping where there is no such entry."""
        return self._keys.get(name, self.key)

    def node(self, name: str) -> yaml.Node | None:
        """The value of an entry, unread."""
        self._asked.append(name)
        return self._values.get(name)

    def end(self) -> None:
        """Raises MappingError for the first entry that nothing has asked for."""
        for name, key in self._keys.items():
            if name not in self._asked:
                known = ", ".join(dict.fromkeys(self._asked))
                raise MappingError(
                    key, msg("mapping_reader.unknown_entry", name=self._name, entry=name[:40], known=known)
                )

    def text(self, name: str) -> str:
        node = self.node(name)
        text = _written(node)
        if node is not None and (len(text) > _LONGEST_TEXT or not text.isprintable()):
            raise MappingError(node, msg("mapping_reader.must_be_one_line", name=name))
        return text

    def label(self, name: str) -> str:
        """A text of any kind, as one short line that a menu can show."""
        text = "".join(c if c.isprintable() else " " for c in _written(self.node(name)))
        return " ".join(text.split())[:_LONGEST_LABEL]

    def base_url(self, name: str, known_paths: Sequence[str] = ()) -> str:
        """A base URL, "" where none is given. `known_paths`: paths that a pasted address may end in."""
        url = self.text(name)
        if not url:
            return ""
        where = FILE if self.key.start_mark else "the field"
        try:
            return checked_base_url(url, where, known_paths=known_paths)
        except ConfigError as error:
            raise MappingError(self._values[name], error.what, error.cure) from None

    def page(self, name: str) -> str:
        """An address that a person is led to: a link on the pack's own page, so nothing that runs there."""
        text = self.text(name)
        if text and not text.lower().startswith(("https://", "http://")):
            raise MappingError(self._values[name], msg("mapping_reader.must_be_web_address", name=name))
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
            raise MappingError(self._values[name], msg("mapping_reader.must_be_address", name=name))
        return text

    def number(self, name: str, default: int, least: int, most: int) -> int:
        node = self.node(name)
        if node is None:
            return default
        value = scalar(node)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise MappingError(node, msg("mapping_reader.must_be_number_between", name=name, least=least, most=most))
        return value

    def flag(self, name: str, default: bool) -> bool:
        node = self.node(name)
        value = scalar(node) if node is not None else default
        if not isinstance(value, bool):
            raise MappingError(node or self.key, msg("mapping_reader.must_be_true_or_false", name=name))
        return value

    def choice(self, name: str, values: list[str]) -> str:
        """One of `values`; "" where nothing is said."""
        node = self.node(name)
        text = self.text(name)
        if node is not None and text not in values:
            raise MappingError(node, msg("mapping_reader.must_be_one_of", name=name, values=", ".join(values)))
        return text

    def texts(self, name: str) -> list[str]:
        node = self.node(name)
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            raise MappingError(node, msg("mapping_reader.must_be_list", name=name))
        # 16:9 without quotes is a number to YAML 1.1, in base 60: what was written counts.
        found = [str(each.value) for each in node.value if isinstance(each, yaml.ScalarNode)]
        if len(found) != len(node.value):
            raise MappingError(node, msg("mapping_reader.must_be_words", name=name))
        return found

    def numbers(self, name: str, least: float, most: float) -> list[float]:
        """A list of numbers; [] where there is none."""
        node = self.node(name)
        found = []
        for text, item in zip(self.texts(name), node.value if node is not None else (), strict=True):
            value = scalar(item)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
                raise MappingError(
                    item,
                    msg(
                        "mapping_reader.list_number_out_of_range",
                        name=name,
                        least=f"{least:g}",
                        most=f"{most:g}",
                        text=text[:20],
                    ),
                )
            found.append(value)
        return found

    def path(self, name: str) -> str:
        """A path below an address; "" where none is given."""
        found = self.text(name)
        if found and (not found.startswith("/") or " " in found):
            raise MappingError(self.at(name), msg("mapping_reader.must_be_path", name=name))
        return found

    def choices(self, name: str, values: list[str]) -> tuple[Any, ...]:
        """A list of some of `values`, each once."""
        node = self.node(name)
        found = self.texts(name)
        for item, text in zip(node.value if node is not None else (), found, strict=True):
            if text not in values:
                raise MappingError(
                    item, msg("mapping_reader.unknown_choice", name=name, choice=text[:40], values=", ".join(values))
                )
        return tuple(dict.fromkeys(found))

    def mapping(self, name: str) -> MappingReader | None:
        node = self.node(name)
        return None if node is None or _is_null(node) else MappingReader(node, name, self._keys[name])


def _written(node: yaml.Node | None) -> str:
    """A single value as it is written: 2.10 is a number to YAML, and no is a refusal. "" for none, and for null."""
    return "" if node is None or scalar(node) is None else str(node.value).strip()
