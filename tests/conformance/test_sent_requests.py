"""What the judges get to see is all that can be asked."""

from __future__ import annotations

import itertools

import pytest
from pack.core.providers import BUILT_IN
from pairwise import pairwise
from sent_requests import PROMPT, options_possible, sent_requests


def test_every_pair_occurs() -> None:
    choices = {"a": (1, 2, 3), "b": ("x", "y"), "c": (True, False), "d": (0,)}
    specs = pairwise(choices)
    for one, two in itertools.combinations(choices, 2):
        for first, second in itertools.product(choices[one], choices[two]):
            assert any(spec[one] == first and spec[two] == second for spec in specs)
    assert len(specs) < 3 * 2 * 2


@pytest.mark.parametrize("provider", BUILT_IN)
def test_every_value_of_every_model_is_sent_alone(provider: str) -> None:
    spec = BUILT_IN[provider]
    requests = sent_requests(provider)
    for model in spec.models:
        for operation in ("generate", "edit"):
            if model.capabilities(operation) is None:
                continue
            own = [sent for sent in requests if (sent.model, sent.operation) == (model.name, operation)]
            assert {sent.variant.removesuffix("uploaded").strip() for sent in own} >= set(spec.api_variants or ("",))
            for option, values in options_possible(spec, model, operation).items():
                for value in values:
                    assert any(sent.options.get(option) == value and len(sent.options) <= 2 for sent in own), (
                        f"{provider} {model.name} {operation} {option}={value}"
                    )


@pytest.mark.parametrize("provider", BUILT_IN)
def test_the_prompt_arrives_whole(provider: str) -> None:
    for sent in sent_requests(provider):
        if isinstance(sent.body, list):
            assert PROMPT in [part.text() for part in sent.body if part.filename is None], str(sent)
        else:
            assert PROMPT in str(sent.body), str(sent)
