"""README's table of providers, made from the rows. `python3 dev.py table` writes it; a test fails when it is stale.

Reads rows only; the rows need nothing but the standard library. Called by `commands.py`.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .cache import ROOT

BEGIN, END = "<!-- providers: made by `python3 dev.py table` -->", "<!-- /providers -->"
HEAD = ("Provider", "Models", "Does", "Ratios", "Sizes", "References", "Pictures a call", "Seed", "Formats",
        "Price a picture", "Keeps uploaded references", "Cancel", "Idempotency", "Checked")  # fmt: skip


def run(arguments: list[str]) -> int:
    """Writes the table into README.md. Returns 0."""
    from core.providers import BUILT_IN  # the clone's own root is the import path of dev.py

    path = ROOT / "README.md"
    path.write_text(inserted(path.read_text("utf-8"), table(BUILT_IN.values())), "utf-8")
    print(f"README.md: {len(BUILT_IN)} providers")
    return 0


def inserted(readme: str, made: str) -> str:
    """`readme` with the table between its marks replaced. Raises ValueError where a mark is missing."""
    before, _, rest = readme.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError("README.md has lost the marks around its table of providers")
    return f"{before}{BEGIN}\n{made}\n{END}{after}"


def in_readme(path: Path = ROOT / "README.md") -> str:
    """The table as README has it now."""
    return path.read_text("utf-8").partition(BEGIN)[2].partition(END)[0].strip()


def table(specs: Iterable[Any]) -> str:
    """The table as Markdown, a line per model."""
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
    offers = [offer for offer in (model.generate, model.edit) if offer]
    offer = offers[-1]
    does = " + ".join(name for name, has in (("text", model.generate), ("edit", model.edit)) if has)
    sizes = " ".join(offer.all_resolutions) or "not said"
    references = str(model.edit.max_references) if model.edit else "none"
    seeds = {"seed" in o.options for o in offers}
    seed = "yes" if seeds == {True} else "no" if seeds == {False} else "text only"
    formats = "its own"
    if "output_format" in offer.options:
        route = offer.route or spec.routes["edit" if model.edit else "generate"]
        formats = " ".join(route.fields["output_format"].values or ("png", "jpeg", "webp"))
    name = f"`{model.name}`" + (" (recommended)" if model.name == spec.recommended else "")
    if model.note:
        name += f": {model.note}"
    return (name, does, str(len(offer.ratios)), sizes, references, str(offer.max_count), seed, formats, _price(model))


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
