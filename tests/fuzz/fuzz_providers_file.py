"""Feeds the reader of `providers.yaml`: errors with lines, never an exception, and no provider that a graph can't use.

An input is the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

import inputs
from folders import folder
from harness import ROOT, Harness
from pack.core.custom_providers import providers_file
from pack.core.dialects import dialect
from pack.core.http.url_policy import checked_base_url
from pack.core.providers import BUILT_IN

_FOLDER = folder("providers-file")
_FILE = _FOLDER / providers_file.FILE
_EXAMPLES = tuple(file.read_bytes() for file in sorted((Path(ROOT) / "example_providers").glob("*.yaml")))
_WORDS = inputs.known_names("core/custom_providers", "core/providers", "core/providers/builtin")
_VALUES = inputs.words("providers_file", "values")


def run(data: bytes) -> None:
    """Reads the file as a run does; each provider in it has to be usable."""
    _FILE.write_bytes(data)
    own = providers_file._parsed(_FILE, BUILT_IN, "2026-11-27")
    for error in own.errors:
        assert isinstance(error, str) and error.startswith(providers_file.FILE) and "\n" not in error, (
            "the text of an error"
        )
    for name, spec in own.specs.items():
        assert name == spec.id and spec.models and spec.model(spec.recommended) is not None, (
            "a provider without its model"
        )
        kept = name in BUILT_IN and spec.base_url == BUILT_IN[name].base_url  # one of them has none: the user gives it
        assert kept or checked_base_url(spec.base_url, "x", plain_http=True) == spec.base_url, "its address"
        assert spec.reference_encoding in dialect(spec.dialect).reference_encodings, (
            "references that its dialect can't send"
        )
        for model in spec.models:
            assert model.generate or model.edit, "a model that can do nothing"
            for usd in model.price.usd.values() if model.price else ():
                assert 0 <= usd < 1000, f"a price of {usd}"


def make(rng: Random) -> bytes:
    lines = [rng.choice(("providers:", "overlays:", "providers: {}", ""))]
    for _ in range(rng.randrange(1, 4)):
        lines.append(f"  {rng.choice((*BUILT_IN, 'mine', 'my_other', 'x1', 'auto', '1', 'A'))}:")
        for _ in range(rng.randrange(6)):
            indent = " " * rng.choice((4, 4, 4, 4, 6, 3, 0))
            lines.append(f"{indent}{rng.choice(_WORDS)}: {rng.choice(_VALUES)}")
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def mutate(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    if rng.random() < 0.2:
        return inputs.mutated_bytes(data, rng, others)
    if rng.random() < 0.2:
        data = rng.choice(_EXAMPLES)
    lines = data.split(b"\n")
    for _ in range(rng.choice((1, 1, 2, 4))):
        index = rng.randrange(len(lines))
        name, colon, text = lines[index].partition(b":")
        draw = rng.random()
        if draw < 0.45 and colon:
            lines[index] = name + b": " + rng.choice(_VALUES).encode("utf-8", "surrogatepass")
        elif draw < 0.6 and colon:
            spaces = len(name) - len(name.lstrip())
            lines[index] = b" " * spaces + rng.choice(_WORDS).encode() + b":" + text
        elif draw < 0.7:
            del lines[index]
        elif draw < 0.8:
            lines.insert(index, lines[rng.randrange(len(lines))])
        elif draw < 0.9:
            lines[index] = b" " * rng.randrange(7) + lines[index].lstrip()
        else:
            lines[index] = inputs.mutated_bytes(lines[index], rng, others)
        lines = lines or [b""]
    return b"\n".join(lines)


def _files() -> tuple[str, ...]:
    return tuple(
        f"core/custom_providers/{name}.py"
        for name in ("providers_file", "provider_entry", "endpoints", "mapping_reader", "models", "sending")
    )


HARNESS = Harness("providers_file", run, make, mutate, _files(), inputs_in_suite=300, examples=40)
