"""The Chinese texts: one word for one thing, no English left over, and the names that they give are those on the page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from pack.core.providers.spec import Option

ROOT = Path(__file__).resolve().parents[2]
HAN = r"[\u4e00-\u9fff]"

ELSEWHERE = {  # the frontend's own buttons, nodes and settings, and what is quoted in a prompt or from JSON
    *("运行", "实时", "更改时", "生成后控制", "设置 > Nano Banana"),
    *("加载图像", "预览图像", "预览任意", "创建列表", "将图像拆分为图块列表", "外补画板", "图像裁剪", "降噪"),
    *("用遮罩编辑器打开", "第 3 行"),  # of the menu of a node; a node of an example
    *("picture 1", "picture 2", "图 1", "图 2", "element 3: the prompt is empty"),
}
ONE_WORD = {  # what the texts don't say: what they say
    "您": "你",
    "插件": "扩展",
    "服务商": "提供商",
    "备用": "后备",
    "蒙版": "遮罩",
    "加入队列": "运行",
    "花费上限": "费用上限",
    "消费上限": "费用上限",
    "请求编号": "请求 ID",
    "可能已产生费用": "可能已扣费",
    "产生了费用": "已扣费",
    "图片模型": "图像模型",
}
VALUES = (  # of widgets: they stay as the workflow keeps them
    *("match first image", "multiple of", "as returned", "as last reference", "masked region", "whole image"),
    *("keep what succeeded", "keep the original frame", "stop this branch", "each paired"),
)
COMMANDS = ("python -m pip install pysocks", "-m pip install google-auth", "ledger.py move", "pool_mode = session")
RAW = {"images", "model", "prompt", "region"}  # words of files and routes, too, where they stay as they are


def read(path: str) -> Any:
    return json.loads((ROOT / path).read_text("utf-8"))


def messages(locale: str) -> dict[str, str]:
    """What a page says, and what the server says, by id."""
    found: dict[str, str] = {**read(f"locales/{locale}/messages.json"), **read(f"web/i18n/{locale}.json")}
    return found


def entries(locale: str) -> dict[tuple[str, str, str], dict[str, str]]:
    """The inputs and outputs of the nodes; those without a name are copies of a tooltip."""
    nodes = read(f"locales/{locale}/nodeDefs.json")
    return {
        (node, group, key): entry
        for node, words in nodes.items()
        for group in ("inputs", "outputs")
        for key, entry in words[group].items()
        if "name" in entry
    }


def pages() -> dict[str, str]:
    return {path.parent.name: path.read_text("utf-8") for path in (ROOT / "web" / "docs").glob("*/zh.md")}


def notes() -> dict[str, str]:
    """The Chinese lines of the examples' notes."""
    found = {}
    for path in (ROOT / "example_workflows").glob("*.json"):
        nodes = json.loads(path.read_text("utf-8"))["nodes"]
        lines = "\n".join(node["widgets_values"][0] for node in nodes if node["type"] == "MarkdownNote").splitlines()
        found[path.name] = "\n".join(line for line in lines if re.search(HAN, line) and not line.startswith("#"))
    return found


def everything() -> dict[str, str]:
    tooltips = {"/".join(place): entry.get("tooltip", "") for place, entry in entries("zh").items()}
    names = {f"{'/'.join(place)} name": entry["name"] for place, entry in entries("zh").items()}
    descriptions = {node: words["description"] for node, words in read("locales/zh/nodeDefs.json").items()}
    return {
        **messages("zh"),
        **tooltips,
        **names,
        **descriptions,
        **notes(),
        **{f"{name}.md": text for name, text in pages().items()},
    }


def without_parameters(text: str) -> str:
    return re.sub(r"\{\w+\}", "0", text)


def shown() -> set[str]:
    """What the pack itself shows under a name: texts of the page without their arrow or dots, nodes, inputs and outputs."""
    found = {re.sub(r"[…↗ ]+$", "", text) for text in read("web/i18n/zh.json").values()}
    found |= {entry["name"] for entry in read("locales/zh/settings.json").values()}
    found |= {re.sub("（.*", "", entry["name"]) for entry in entries("zh").values()}
    found |= {entry["name"] for entry in entries("zh").values()}
    for words in read("locales/zh/nodeDefs.json").values():
        name = words["display_name"].removesuffix("（自备密钥）")
        found |= {name, name.removeprefix("Nano Banana ")}
    return found


@pytest.mark.parametrize("word", ONE_WORD)
def test_one_thing_has_one_word(word: str) -> None:
    assert [name for name, text in everything().items() if word in text] == [], f"say {ONE_WORD[word]}"


def test_what_a_text_names_is_on_the_page_under_that_name() -> None:
    """A button or an input in 「」 that is renamed has to be renamed wherever a text leads to it."""
    known = shown() | ELSEWHERE
    named = {(name, quoted) for name, text in everything().items() for quoted in re.findall("「([^「」]*)」", text)}
    lost = {(name, quoted) for name, quoted in named if quoted.rstrip("…") not in known and "{" not in quoted}
    assert lost == set()


def test_what_a_note_names_is_on_the_page_under_that_name() -> None:
    known = shown() | ELSEWHERE
    named = {(file, part) for file, text in notes().items() for part in re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", text)}
    assert {(file, part) for file, part in named if re.search(HAN, part) and part not in known} == set()
    ids = {entry["name"] for entry in entries("en").values()} - RAW
    assert {(file, part) for file, part in named if part in ids} == set()


def test_an_option_in_a_notice_has_the_name_on_the_node() -> None:
    english, chinese = messages("en"), messages("zh")
    labels = {
        entry["name"]: entries("zh")[place]["name"] for place, entry in entries("en").items() if place in entries("zh")
    }
    for option in get_args(Option):
        assert chinese[f"option_name.{option}"] == f"「{labels[english[f'option_name.{option}']]}」", option


def test_a_message_calls_an_input_by_the_name_on_the_node() -> None:
    """The English id of an input is nowhere on a Chinese node."""
    english, chinese = entries("en"), entries("zh")
    ids = {english[place]["name"]: entry["name"] for place, entry in chinese.items() if place in english}
    left = [
        (name, id_, label)
        for name, text in messages("zh").items()
        for id_, label in ids.items()
        if id_ not in RAW and re.search(rf"(?<![\w.-]){id_}(?![\w=-])", re.sub(r"\{\w+\}", "", text))
    ]
    assert left == []


def test_no_english_is_left_in_a_sentence() -> None:
    """Two English words side by side are the value of a widget or a command, and a word alone is in the English text, too."""
    english = messages("en")
    for name, text in messages("zh").items():
        plain = without_parameters(text)
        for kept in (*VALUES, *COMMANDS):
            plain = plain.replace(kept, "")
        assert not re.search(r"\b[a-z]{2,} [a-z]{2,}\b", plain), name
        words = set(re.findall(r"(?<![\w.:/-])[a-z]{2,}(?![\w.:/-])", plain))
        assert words <= set(re.findall("[a-z]+", english[name].lower())), name


def test_every_chinese_text_is_chinese() -> None:
    """One without a Chinese character has names, numbers and signs alone."""
    foreign = {name: without_parameters(text) for name, text in messages("zh").items() if not re.search(HAN, text)}
    assert {name for name, text in foreign.items() if re.search(r"(?<![\w-])[a-z]{3,}(?![\w-])", text)} == set()


def test_punctuation_between_chinese_characters_is_chinese() -> None:
    wrong = [name for name, text in messages("zh").items() if re.search(rf"{HAN}[,;:?!.](?:{HAN}|$|\s)", text)]
    assert wrong == []


def test_the_help_shows_chinese_nodes() -> None:
    for name, text in pages().items():
        for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text):
            assert picture.endswith("-zh.jpg"), name
            assert (ROOT / "web" / "docs" / picture).is_file(), name
