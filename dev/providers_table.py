"""The tables of providers in README.md and docs/providers.md.

`python3 dev.py table` writes them; a test fails when one is stale.

Reads the providers' specs only, which need nothing but the standard library. Called by `commands.py`.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .cache import ROOT

BEGIN, END = "<!-- providers: made by `python3 dev.py table` -->", "<!-- /providers -->"
HEAD = ("Provider", "Models", "Does", "Ratios", "Sizes", "References", "Pictures a call", "Seed", "Formats",
        "Price a picture", "Keeps uploaded references", "Cancel", "Idempotency", "Checked")  # fmt: skip


SHORT = ("Provider", "Models", "Price from", "Cancel")


def run(arguments: list[str]) -> int:
    """Writes both tables. Returns 0."""
    from core.providers import BUILT_IN  # the clone's own root is the import path of dev.py

    for path, made in pages(BUILT_IN.values()).items():
        path.write_text(inserted(path.read_text("utf-8"), made), "utf-8")
        print(f"{path.relative_to(ROOT).as_posix()}: {len(BUILT_IN)} providers")
    return 0


def pages(specs: Iterable[Any]) -> dict[Path, str]:
    """Each page and the table that belongs into it."""
    specs = list(specs)
    return {ROOT / "README.md": summary(specs), ROOT / "docs" / "providers.md": table(specs)}


def inserted(page: str, made: str) -> str:
    """`page` with the table between its marks replaced. Raises ValueError where a mark is missing."""
    before, _, rest = page.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError("the marks around the table of providers are missing")
    return f"{before}{BEGIN}\n{made}\n{END}{after}"


def in_page(path: Path) -> str:
    """The table as the page has it now."""
    return path.read_text("utf-8").partition(BEGIN)[2].partition(END)[0].strip()


def summary(specs: Iterable[Any]) -> str:
    """The short table as Markdown, a line per provider; its name links to the page where one gets a key."""
    lines = ["| " + " | ".join(SHORT) + " |", "|" + "---|" * len(SHORT)]
    for spec in specs:
        label = f"[{spec.label}]({spec.key_url})" if spec.key_url else spec.label
        models = ", ".join(model.name.removeprefix("nano-banana-") for model in spec.models)
        lines.append(f"| {label} `{spec.id}` | {models} | {_from(spec.models)} | {spec.cancels or 'no'} |")
    return "\n".join(lines)


def _from(models: Iterable[Any]) -> str:
    """The lowest list price of a picture."""
    known = [usd for model in models if model.price for usd in model.price.usd.values()]
    return "not published" if not known else _dollars(min(known)) if min(known) else "free"


def table(specs: Iterable[Any]) -> str:
    """The whole table as Markdown, a line per model."""
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    for spec in specs:
        for index, model in enumerate(spec.models):
            provider = f"**{spec.label}** `{spec.id}`" if index == 0 else ""
            once: tuple[str, ...] = ("", "", "", "")
            if index == 0:
                once = (
                    spec.stores_references or "none are uploaded",
                    spec.cancels or "no",
                    f"`{spec.idempotency_header}`" if spec.idempotency_header else "no",
                    spec.checked,
                )
            lines.append("| " + " | ".join((provider, *_model(spec, model), *once)) + " |")
    return "\n".join(lines)


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


def _priced(size: str, usd: float, counted: float) -> str:
    """The price at one size, and what it counts as against the caps where that is more."""
    if not usd:
        return "free"
    more = f" (counts as {_dollars(counted)})" if counted > usd else ""
    return f"{size or 'any size'} {_dollars(usd)}{more}"


def _dollars(usd: float) -> str:
    return f"${usd:.4f}".rstrip("0").rstrip(".")


def _price(model: Any) -> str:
    if model.price is None:
        return "not published"
    known = [_priced(size, usd, model.price.counted.get(size, usd)) for size, usd in model.price.usd.items()]
    return ", ".join(known) if known == ["free"] else f"{', '.join(known)} ({model.price.dated})"
