"""How values come into a text: beside Chinese characters without a space, and without a full stop inside of a sentence."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from pack.dev import cache, node
from pack.dev.env import clean

MODULE = Path(__file__).resolve().parents[3] / "web" / "filled_text.mjs"
CASES = [
    (
        "{label} 拒绝了密钥{status}：密钥有误。",
        {"label": "fal", "status": "（HTTP 401）"},
        "fal 拒绝了密钥（HTTP 401）：密钥有误。",
    ),
    ("{label} 拒绝了密钥。", {"label": "我的中转商"}, "我的中转商拒绝了密钥。"),
    ("请求已到达 {label}，但没有收到答复。", {"label": "我的中转商"}, "请求已到达我的中转商，但没有收到答复。"),
    ("请求已到达 {label}，但没有收到答复。", {"label": "fal"}, "请求已到达 fal，但没有收到答复。"),
    ("还有 {n} 张图片", {"n": "3"}, "还有 3 张图片"),
    ("{a} 与 {b} 对比", {"a": "甲", "b": "乙"}, "甲与乙对比"),
    ("{n} 张（{reason}）。", {"n": "1", "reason": "连接被重置。"}, "1 张（连接被重置）。"),
    ("{what}：{reason}请自行保存。", {"what": "没有写入", "reason": "磁盘已满。"}, "没有写入：磁盘已满。请自行保存。"),
    ("{label} refused the key: {why}", {"label": "我的中转商", "why": "wrong"}, "我的中转商 refused the key: wrong"),
    ("{label} and {missing}", {"label": "fal"}, "fal and {missing}"),
    ("{prompt}", {"prompt": "猫 {label} 狗"}, "猫 {label} 狗"),
    ("", {}, ""),
]
SCRIPT = """
const { filledText, withoutInnerStops } = await import(process.argv[1]);
const cases = JSON.parse(process.argv[2]);
console.log(JSON.stringify(cases.map(([text, values]) => withoutInnerStops(filledText(text, (name) => values[name])))));
"""


def test_a_value_stands_in_a_text_as_one_would_write_it() -> None:
    tools = node.ready(cache.opened())
    if tools is None:
        pytest.skip("there is no Node in the cache: `python3 dev.py test --lint` fetches it")
    given = json.dumps([(text, values) for text, values, _ in CASES])
    done = subprocess.run(
        [str(tools.program), "--input-type=module", "-e", SCRIPT, MODULE.as_uri(), given],
        env=clean(os.environ, {}),
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout) == [wanted for _, _, wanted in CASES]
