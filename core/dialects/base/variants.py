"""Request variants: what bases of one API disagree about, which variant a call uses, and which were refused in it.

A topic is one such thing ("references", "ratio", "model id"); a variant is one way of doing it, a word of the dialect's.
Topics are independent of each other. The state of a step carries two mappings:

    variants   topic -> the variant that this step uses
    refused    topic -> the variants that were refused in this call, and are not tried again in it

Another variant is sent only after a status that `allows_other_variant` (paid) or `is_missing_route` (free) allows, so
none is sent after an answer that may have cost money. Each variant of a topic is tried at most once in a call. What a refusal
says about a variant is read in `refusals`; `core/execution/provider_cache.py` keeps what was learned, per base URL and topic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from .step import Done, Job, State, Step, Wait

API_VARIANT = "form"
"""Where a state has the API variant, of dialects that know several. Kept answers of earlier releases have it there, too."""


def first_variants(job: Job, first: Mapping[str, str]) -> State:
    """The part of a state that names the variants of a new call: what worked at this base, else that of `first`."""
    return {"variants": {topic: job.variants.get(topic) or variant for topic, variant in first.items()}, "refused": {}}


def next_variant(state: State, topic: str, variants: Sequence[str]) -> State | None:
    """`state` with the first of `variants` that this call hasn't tried for `topic`; None when all of them were refused."""
    tried = [*state["refused"].get(topic, ()), state["variants"][topic]]
    untried = next((variant for variant in variants if variant not in tried), None)
    if untried is None:
        return None
    used, refused = {**state["variants"], topic: untried}, {**state["refused"], topic: tried}
    return {**state, "variants": used, "refused": refused}


def with_learned_variants(step: Step, state: State) -> Step:
    """`step`, with the variants of this call, when it says that the request was taken after others were refused."""
    learned = {topic: state["variants"][topic] for topic in state.get("refused", ())}
    if learned and isinstance(step, Done):
        return replace(step, variants=learned)
    if learned and isinstance(step, Wait):
        return replace(step, then=replace(step.then, variants=learned))
    return step
