"""The tables of providers and dialects in README.md, docs/ and example_providers/.

`dev.py table` and `dev.py judges` write them, and tests fail when one is stale.

Reads the providers' specs, which need nothing but the standard library, and the text of the dialects, which need more.
"""

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .cache import ROOT

BEGIN, END = "<!-- providers: made by `python3 dev.py table` -->", "<!-- /providers -->"
SHORT = ("Provider", "Models", "Price from", "Cancel")
HEAD = ("Provider", "Models", "Does", "Ratios", "Sizes", "References", "Pictures a call", "Seed", "Formats",
        "Price a picture", "Keeps uploaded references", "Cancel", "Idempotency", "Checked")  # fmt: skip
JUDGES = ROOT / "docs" / "judges.md"
NOBODY = "nobody"
JUDGED = {"SDK": ("SDK",), "Published schema or document": ("schema", "document"), "Public report": ("report",)}
"""The columns of docs/judges.md, and the kinds of judges in each."""
INTRODUCTION = """\
# Who has judged each provider

Made by `python3 dev.py judges` from what the tests in `tests/conformance` record when they pass. The specs, the dialects
and the doubles were written here, so they prove nothing about a provider; what is in the last three columns was
written by others. "SDK" is the vendor's own client, or the one its document names, at the pinned version
(`dev/requirements/judges.txt`). The documents that a provider's data was written from are named in it
(`core/providers/`); one is listed here only where a test holds every request against it.
"""


def run(arguments: list[str]) -> int:
    """Writes the tables of `pages`. Returns 0."""
    from core.providers import BUILT_IN  # the clone's own root is the import path of dev.py

    for path, made in pages(BUILT_IN.values()).items():
        path.write_text(inserted(path.read_text("utf-8"), made), "utf-8")
        print(f"{path.relative_to(ROOT).as_posix()}: {len(BUILT_IN)} providers")
    return 0


def pages(specs: Iterable[Any]) -> dict[Path, str]:
    """Each page and the table that belongs into it."""
    specs = list(specs)
    return {
        ROOT / "README.md": markdown(SHORT, map(_short, specs)),
        ROOT / "docs" / "providers.md": markdown(HEAD, (line for spec in specs for line in _lines(spec))),
        ROOT / "docs" / "settings.md": markdown(("Provider", "Variables of its key"), map(_variables, specs)),
        ROOT / "example_providers" / "README.md": markdown(
            ("`dialect`", "`references`", "`forms`", "Providers"), _dialects(specs)
        ),
    }


def inserted(page: str, made: str) -> str:
    """`page` with the table between its marks replaced. Raises ValueError where a mark is missing."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{made}\n{END}{after}"


def in_page(path: Path) -> str:
    """The table as the page has it now."""
    return path.read_text("utf-8").partition(BEGIN)[2].partition(END)[0].strip()


def markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    bars = [f"| {' | '.join(line)} |" for line in (head, *lines)]
    return "\n".join([bars[0], "|" + "---|" * len(head), *bars[1:]])


def _short(spec: Any) -> tuple[str, ...]:
    """The provider, which links to the page where one gets a key, its models, its lowest list price, what cancels."""
    label = f"[{spec.label}]({spec.key_url})" if spec.key_url else spec.label
    known = [usd for model in spec.models if model.price for usd in model.price.usd.values()]
    price = "not published" if not known else _dollars(min(known)) if min(known) else "free"
    models = ", ".join(model.name.removeprefix("nano-banana-") for model in spec.models)
    return f"{label} `{spec.id}`", models, price, spec.cancels or "no"


def _lines(spec: Any) -> list[tuple[str, ...]]:
    """A line per model; what is the provider's is in the first."""
    header = f"`{spec.idempotency_header}`" if spec.idempotency_header else "no"
    once = (spec.stores_references or "none are uploaded", spec.cancels or "no", header, spec.checked)
    first, *others = spec.models
    return [
        (f"**{spec.label}** `{spec.id}`", *_model(spec, first), *once),
        *(("", *_model(spec, model), *[""] * len(once)) for model in others),
    ]


def _variables(spec: Any) -> tuple[str, str]:
    """The provider, and its environment variables in the order in which they count."""
    names = [f"NANO_BANANA_{spec.id.upper()}_API_KEY", *spec.key_env_vars]
    only = f" (a key that begins with `{spec.key_prefix}`)" if spec.key_prefix else ""
    only = f" (no key that begins with `{spec.sibling_key_prefix}`)" if spec.sibling_key_prefix else only
    last = "".join(f"; after Settings, where a graph names the provider: `{name}`" for name in spec.shared_env_vars)
    return f"{spec.label} `{spec.id}`", "none" if spec.local else ", ".join(f"`{name}`" for name in names) + only + last


def _dialects(specs: Sequence[Any]) -> list[tuple[str, ...]]:
    """Each dialect, how references may travel in it, its forms, and the providers that speak it."""
    lines = []
    for file in sorted((ROOT / "core" / "dialects").glob("[a-z]*.py")):
        found = re.search(r"(?m)^    reference_encodings = (.*)$", file.read_text("utf-8"))
        encodings = ast.literal_eval(found[1]) if found else ()
        users = [spec for spec in specs if spec.dialect == file.stem]
        forms = next((spec.api_variants for spec in users if spec.api_variants), ())
        cells = ([file.stem], encodings, forms, [spec.id for spec in users])
        lines.append(tuple(", ".join(f"`{word}`" for word in cell) for cell in cells))
    return lines


def _model(spec: Any, model: Any) -> tuple[str, ...]:
    operations = [each for each in (model.generate, model.edit) if each]
    shown = operations[-1]
    does = " + ".join(name for name, has in (("text", model.generate), ("edit", model.edit)) if has)
    sizes = " ".join(shown.all_resolutions) or "not said"
    references = str(model.edit.max_references) if model.edit else "none"
    seeds = {"seed" in each.options for each in operations}
    seed = "yes" if seeds == {True} else "no" if seeds == {False} else "text only"
    formats = "its own"
    if "output_format" in shown.options:
        endpoint = shown.endpoint or spec.endpoints["edit" if model.edit else "generate"]
        formats = " ".join(endpoint.fields["output_format"].values or ("png", "jpeg", "webp"))
    name = f"`{model.name}`" + (" (recommended)" if model.name == spec.recommended else "")
    if model.note:
        name += f": {model.note}"
    return (name, does, str(len(shown.ratios)), sizes, references, str(shown.max_count), seed, formats, _price(model))


def _dollars(usd: float) -> str:
    return f"${usd:.4f}".rstrip("0").rstrip(".")


def _price(model: Any) -> str:
    """The price at each size, and what it counts as against the caps where that is more."""
    if model.price is None:
        return "not published"
    known = []
    for size, usd in model.price.usd.items():
        counted = model.price.counted.get(size, usd)
        more = f" (counts as {_dollars(counted)})" if counted > usd else ""
        known.append(f"{size or 'any size'} {_dollars(usd)}{more}" if usd else "free")
    return ", ".join(known) if known == ["free"] else f"{', '.join(known)} ({model.price.dated})"


def judges_page(specs: Iterable[Any], record: Sequence[Mapping[str, str]]) -> str:
    """docs/judges.md for a record of `provider`, `kind`, `judge`, `version`, `what`."""
    lines = []
    for spec in specs:
        if not spec.local:
            own = [entry for entry in record if entry["provider"] == spec.id]
            cells = [_judges([entry for entry in own if entry["kind"] in kinds]) for kinds in JUDGED.values()]
            lines.append((f"**{spec.label}** `{spec.id}`", *(cells if any(cells) else (NOBODY, "", ""))))
    return f"{INTRODUCTION}\n{markdown(('Provider', *JUDGED), lines)}\n"


def _judges(entries: Sequence[Mapping[str, str]]) -> str:
    """One cell: each judge with its version, and what it has judged."""
    judged: dict[str, list[str]] = {}
    for entry in entries:
        judged.setdefault(f"{entry['judge']} {entry['version']}".strip(), []).append(entry["what"])
    return "<br>".join(f"{judge}: {', '.join(sorted(what))}" for judge, what in sorted(judged.items()))
