"""Reads `providers.yaml`: the user's own providers, and changes to built-in ones. Never writes it.

    providers:
      my_reseller:                 # small letters, digits, _
        label: My reseller
        like: nanobanana           # whose dialect, models and field names it has
        base_url: https://api.example.com
        auth: bearer
        models: {...}              # only these, where it is said
    overlays:
      google:
        models:
          nano-banana-3: {like: nano-banana-2.1, wire: gemini-nano-banana-3, price: {1K: 0.05}}

What isn't said is taken from the provider that it is like. An error is reported with its line and leaves out that provider or
that overlay only; the rest works. The file is read again when it has changed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import yaml

from ..errors.messages import message_of, msg
from ..files.regular_files import NotReadable, read_regular
from ..providers.spec import ProviderSpec
from .mapping_reader import FILE, MappingError, MappingReader, entries
from .provider_entry import custom_provider, overlaid_provider

MAX_BYTES = 256 << 10
"""Some two seconds of reading."""


@dataclass(frozen=True)
class ProvidersFile:
    """What the file describes."""

    specs: Mapping[str, ProviderSpec] = field(default_factory=dict)
    """New providers, and built-in ones as they are changed, by id."""
    errors: tuple[str, ...] = ()
    """What was left out and why, each with its line."""


_read: dict[Path, tuple[tuple[int, int], ProvidersFile]] = {}
_lock = threading.Lock()


def read_providers_file(home: Path, built_in: Mapping[str, ProviderSpec]) -> ProvidersFile:
    """The file of a data folder as it is now; empty where there is none."""
    path = home / FILE
    try:
        facts = path.stat()
    except OSError:
        return ProvidersFile()
    stamp = (facts.st_mtime_ns, facts.st_size)
    with _lock:
        known = _read.get(path)
    if known is None or known[0] != stamp:
        known = (stamp, _parsed(path, built_in, date.fromtimestamp(facts.st_mtime).isoformat()))
        with _lock:
            _read[path] = known
    return known[1]


def _parsed(path: Path, built_in: Mapping[str, ProviderSpec], dated: str) -> ProvidersFile:
    try:
        data = read_regular(path, MAX_BYTES)
        text = data.decode("utf-8-sig")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except NotReadable:
        what = (
            msg("providers_file.file_too_large", max_bytes=MAX_BYTES >> 10)
            if path.is_file()
            else msg("providers_file.not_a_file")
        )
        return ProvidersFile(errors=(f"{FILE} {what}",))
    except OSError as error:
        return ProvidersFile(errors=(msg("providers_file.file_unreadable", file=FILE, error=error.strerror or error),))
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        return ProvidersFile(errors=(msg("providers_file.line_not_utf_8", file=FILE, number=number),))
    except yaml.reader.ReaderError as error:
        number = text.count("\n", 0, error.position) + 1
        return ProvidersFile(errors=(msg("providers_file.control_character_in_line", file=FILE, number=number),))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        return ProvidersFile(errors=(f"{FILE}{line}: {getattr(error, 'problem', None) or 'it is not YAML'}",))
    except RecursionError:
        return ProvidersFile(errors=(msg("providers_file.nested_too_deeply", file=FILE),))
    specs: dict[str, ProviderSpec] = {}
    errors: list[str] = []
    top = entries(root, "the file", errors)
    for name, (key, _) in top.items():
        if name not in ("overlays", "providers"):
            errors.append(str(MappingError(key, msg("providers_file.unknown_section", name=name[:40]))))

    def each(section: str, make: Callable[[str, MappingReader], ProviderSpec]) -> None:
        for name, (key, node) in entries(top[section][1] if section in top else None, section, errors).items():
            try:
                specs[name] = make(name, MappingReader(node, name, key))
            except MappingError as error:
                errors.append(message_of(error))

    each("overlays", lambda name, reader: overlaid_provider(name, reader, built_in, dated))
    # A new provider may be like one that was changed above.
    known = {**built_in, **specs}
    each("providers", lambda name, reader: custom_provider(name, reader, known, dated))
    return ProvidersFile(specs, tuple(errors))
