"""The catalogue of messages: every id that the code says is in it, none is left over, parameters agree in every language."""

from __future__ import annotations

import ast
import functools
import json
import pickle
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pack.core.errors.messages import (
    LANGUAGES,
    Message,
    as_data,
    catalogue,
    concat,
    from_data,
    joined,
    listed,
    messages_in,
    msg,
)
from pack.core.providers import BUILT_IN

ROOT = Path(__file__).resolve().parents[2]
CODE = [*ROOT.glob("core/**/*.py"), *ROOT.glob("nodes/**/*.py"), *ROOT.glob("routes/*.py"), ROOT / "comfyui.py"]
ENGLISH = catalogue("en")
FILES = sorted(LANGUAGES.glob("*/messages.json"))


@functools.cache
def code() -> dict[Path, list[ast.Call | ast.ClassDef]]:
    """All calls and classes of the pack's files."""
    return {
        file: [
            node for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Call | ast.ClassDef)
        ]
        for file in CODE
    }


def calls() -> list[tuple[str, str, set[str]]]:
    """Every call of `msg` in the pack: where it is, its id, and the parameters that it gives."""
    found = []
    for file, nodes in code().items():
        for node in nodes:
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
    texts = "\n".join(file.read_text("utf-8") for file in CODE)
    left = [name for name in ENGLISH if f'"{name}"' not in texts and f'"{name.rpartition(".")[0]}.{{' not in texts]
    assert not left


def error_classes() -> set[str]:
    """The names of the pack's own exceptions; those that build on ValueError stay inside the code that raises them."""
    bases = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for nodes in code().values()
        for node in nodes
        if isinstance(node, ast.ClassDef)
    }
    found = {"Exception", "NanoBananaError"}
    while more := {name for name, above in bases.items() if above & found} - found:
        found |= more
    return found


def inline_texts(node: ast.AST) -> Iterator[str]:
    """Texts written in an expression, with a word in place of each value; what `msg` is given is none."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "msg":
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    else:
        for child in ast.iter_child_nodes(node):
            yield from inline_texts(child)


def inline_errors(nodes: Iterable[ast.AST], errors: set[str]) -> list[tuple[int, str]]:
    """Line and text of every argument of an error, and every `cure`, that says three words or more in the code."""
    found = []
    for node in nodes:
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            given = [word.value for word in node.keywords if word.arg == "cure"]
            given += node.args if name in errors else []
            texts = [text for each in given for text in inline_texts(each)]
            found += [
                (node.lineno, text) for text in texts if len(text.split()) >= 3 and re.search("[A-Za-z]{2}", text)
            ]
    return found


def test_no_error_has_its_text_in_the_code() -> None:
    """Data of providers and the command line are not translated."""
    errors = error_classes()
    left = [
        (str(file.relative_to(ROOT)), *found)
        for file, nodes in code().items()
        if ROOT / "core/providers" not in file.parents and file != ROOT / "core/cli.py"
        for found in inline_errors(nodes, errors)
    ]
    assert not left


@pytest.mark.parametrize(
    "code",
    [
        "Impossible('There is no image')",
        "Impossible(f'{model} can not {verb}')",
        "replace(fault, cure=f'It has: {a}, {b}')",
        "Impossible(what, cure='. '.join((f'Known are: {names}', *others)))",
        "errors.Impossible('Nothing was sent' if late else msg('a.b'))",
    ],
)
def test_an_inline_text_of_an_error_is_found(code: str) -> None:
    assert inline_errors(ast.walk(ast.parse(code)), {"Impossible"})


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.parent.name))
def test_languages_have_the_same_parameters(file: Path) -> None:
    texts = json.loads(file.read_text("utf-8"))
    assert set(texts) - set(ENGLISH) == set(), "left over"
    assert set(ENGLISH) - set(texts) == set(), "not translated"
    assert not [name for name, text in texts.items() if parameters_of(text) != parameters_of(ENGLISH[name])]


def test_a_message_is_its_english_text_and_knows_its_id() -> None:
    name, text = next((name, text) for name, text in ENGLISH.items() if len(parameters_of(text)) == 1)
    (parameter,) = parameters_of(text)
    made = msg(name, **{parameter: "fal"})
    assert made == text.replace(f"{{{parameter}}}", "fal") and isinstance(made, Message)
    assert as_data(made) == {"id": name, "parameters": {parameter: "fal"}}
    assert as_data(made + ". More") == [{"id": name, "parameters": {parameter: "fal"}}, ". More"]
    assert pickle.loads(pickle.dumps(made)) == made


def test_a_stored_message_is_a_message_again() -> None:
    """Nested messages and joined ones, too; one whose text in the catalogue has changed since stays the stored text."""
    inner = msg("money.no")
    made = concat(msg("call_monitor.not_sent_after_failure", reason=inner), " ", msg("cure.rate"))
    again = from_data(json.loads(json.dumps(as_data(made))), str(made))
    assert as_data(again) == as_data(made) and again == made
    assert from_data({"id": "money.no", "parameters": {}}, "It was free.") == "It was free."
    assert from_data({"id": "no.such", "parameters": {}}, "old") == "old"
    assert from_data(None, "old") == "old"


def test_messages_are_found_wherever_they_are_in_a_value() -> None:
    first, second = msg("money.no"), msg("money.maybe")
    assert messages_in({"a": [first, {"b": (second,)}], "c": "plain", "d": 1}) == {
        str(first): as_data(first),
        str(second): as_data(second),
    }


def test_a_message_of_an_error_is_kept_as_a_message() -> None:
    """Where one message has another error in it, the page can say both in its language."""
    inner = msg("decoding.not_a_picture")
    made = msg("failure.picture_unreadable", where="", error=ValueError(inner))
    assert as_data(made) == {"id": "failure.picture_unreadable", "parameters": {"where": "", "error": as_data(inner)}}


@pytest.mark.parametrize(
    "join", [lambda a, b: listed("; ", [a, b]), lambda a, b: joined(a, b), lambda a, b: concat(a, b)]
)
def test_joined_messages_stay_messages(join: Callable[[str, str], str]) -> None:
    first, second = msg("money.no"), msg("money.maybe")
    data = as_data(join(first, second))
    assert isinstance(data, list) and data[0] == as_data(first) and data[-1] == as_data(second)


@given(st.text())
def test_a_parameter_s_own_braces_are_not_filled_in(value: str) -> None:
    name, text = next((name, text) for name, text in ENGLISH.items() if len(parameters_of(text)) == 1)
    (parameter,) = parameters_of(text)
    assert msg(name, **{parameter: value}) == text.replace(f"{{{parameter}}}", value)


def test_an_unknown_id_is_an_error() -> None:
    with pytest.raises(KeyError):
        msg("nothing.like_this")


def test_where_a_provider_keeps_references_is_a_message() -> None:
    """The text is data of the provider; the catalogue has it for other languages."""
    stores = {f"stores.{spec.id}": spec.stores_references for spec in BUILT_IN.values() if spec.stores_references}
    assert stores == {name: text for name, text in ENGLISH.items() if name.startswith("stores.")}
