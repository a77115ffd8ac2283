"""The catalogue of messages: every id that the code says is in it, none is left over, parameters agree in every language."""

from __future__ import annotations

import ast
import json
import pickle
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pack.core.errors.messages import LANGUAGES, Message, as_data, catalogue, msg

ROOT = Path(__file__).resolve().parents[2]
CODE = [*ROOT.glob("core/**/*.py"), *ROOT.glob("nodes/*.py"), *ROOT.glob("routes/*.py"), ROOT / "comfyui.py"]
ENGLISH = catalogue("en")
FILES = sorted(LANGUAGES.glob("*/messages.json"))


def calls() -> list[tuple[str, str, set[str]]]:
    """Every call of `msg` in the pack: where it stands, its id, and the parameters that it gives."""
    found = []
    for file in CODE:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "msg":
                where = f"{file.relative_to(ROOT)}:{node.lineno}"
                given = {word.arg or "**" for word in node.keywords}
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    found.append((where, str(first.value), given))
    return found


def parameters_of(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def test_every_message_that_is_said_is_in_the_catalogue() -> None:
    assert not [(where, name) for where, name, _ in calls() if name not in ENGLISH]


def test_every_parameter_is_used() -> None:
    """A parameter that the text does not show would hide what happened."""
    assert not [
        (where, name, given - parameters_of(ENGLISH[name]))
        for where, name, given in calls()
        if "**" not in given and given - parameters_of(ENGLISH[name])
    ]


def test_no_message_is_left_over() -> None:
    """Ids that are put together (`failure.opening.<kind>`) are found by their quoted beginning."""
    code = "\n".join(file.read_text("utf-8") for file in CODE)
    left = [name for name in ENGLISH if f'"{name}"' not in code and f'"{name.rpartition(".")[0]}.{{' not in code]
    assert not left


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.parent.name))
def test_languages_have_the_same_parameters(file: Path) -> None:
    texts = json.loads(file.read_text("utf-8"))
    assert set(texts) <= set(ENGLISH), "left over"
    assert not [name for name, text in texts.items() if parameters_of(text) != parameters_of(ENGLISH[name])]


def test_a_message_is_its_english_text_and_knows_its_id() -> None:
    name, text = next((name, text) for name, text in ENGLISH.items() if len(parameters_of(text)) == 1)
    (parameter,) = parameters_of(text)
    made = msg(name, **{parameter: "fal"})
    assert made == text.replace(f"{{{parameter}}}", "fal") and isinstance(made, Message)
    assert as_data(made) == {"id": name, "parameters": {parameter: "fal"}}
    assert as_data(made + ". More") == [{"id": name, "parameters": {parameter: "fal"}}, ". More"]
    assert pickle.loads(pickle.dumps(made)) == made


@given(st.text())
def test_a_parameter_s_own_braces_are_not_filled_in(value: str) -> None:
    name, text = next((name, text) for name, text in ENGLISH.items() if len(parameters_of(text)) == 1)
    (parameter,) = parameters_of(text)
    assert msg(name, **{parameter: value}) == text.replace(f"{{{parameter}}}", value)


def test_an_unknown_id_is_an_error() -> None:
    with pytest.raises(KeyError):
        msg("nothing.like_this")
