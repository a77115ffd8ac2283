"""The key that was sent comes back in no text, however a server spells it, and looking for it takes linear time."""

from __future__ import annotations

import base64
import codecs
import json
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from dialect_driver import PNG, QUICK_SPECS, request
from hypothesis import example, given
from hypothesis import strategies as st
from linear_time import assert_linear
from long_rows import every_value, first
from pack.core.engine import Engine
from pack.core.ledger.history import History
from pack.core.planning.choice import ProviderChoice
from pack.core.redaction.sent_key import RUN, Scrubber
from pack.core.redaction.text import MOST_TEXT, redact
from pack.tests.reply_server import replying

KEY = "sk-proj-Ab9+/x7ZqW3eR5tY7uI9oP1Lk"

SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "percent": lambda key: "".join(f"%{ord(c):02x}" for c in key),
    "some percent": lambda key: quote(key, safe=""),
    "percent twice": lambda key: quote("".join(f"%{ord(c):02X}" for c in key)),
    "entities": lambda key: "".join(f"&#{ord(c)};" for c in key),
    "hex entities": lambda key: "".join(f"&#x{ord(c):X}" for c in key),
    "JSON escapes": lambda key: "".join(f"\\u{ord(c):04x}" for c in key),
    "string escapes": lambda key: "".join(f"\\x{ord(c):02x}" for c in key),
    "zero width": lambda key: "\u200b".join(key),
    "joiners": lambda key: "\u2060\u00ad".join(key),
    "spaces": lambda key: " ".join(key),
    "lines": lambda key: key[:16] + "\n" + key[16:],
    "wide": lambda key: "".join(chr(ord(c) + 0xFEE0) for c in key),
    "hex": lambda key: key.encode().hex(),
    "upper case": str.upper,
    "lower case": str.lower,
    "backwards": lambda key: key[::-1],
    "JSON escapes backwards": lambda key: "".join(f"\\u{ord(c):04x}" for c in key[::-1]),
    "percent four times": lambda key: "".join(f"%252525{ord(c):02X}" for c in key),
    "percent u": lambda key: "".join(f"%u{ord(c):04x}" for c in key),
    "long entities": lambda key: "".join(f"&amp;amp;#{ord(c):09d};" for c in key),
    "JSON escapes escaped": lambda key: "".join(f"\\\\\\\\u{ord(c):04x}" for c in key),
    "octal": lambda key: "".join(f"\\{ord(c):03o}" for c in key),
    "named spaces": lambda key: "&ZeroWidthSpace;".join(key),
    "spaces of UTF-8": lambda key: "%E2%80%8B".join(key),
    "control characters": lambda key: "\x00\x07".join(key),
    "fillers": lambda key: "\u3164\u2800".join(key),
    "colours": lambda key: "\x1b[0m".join(key),
    "tags": lambda key: "<wbr>".join(key),
    "marks": lambda key: "**".join(key),
    "a list": lambda key: json.dumps(list(key)),
    "hex with colons": lambda key: key.encode().hex(":"),
    "hex numbers": lambda key: ", ".join(f"0x{ord(c):02x}" for c in key),
    "numbers": lambda key: ", ".join(str(ord(c)) for c in key),
    "base64 twice": lambda key: base64.b64encode(b"x" + base64.b64encode(b"ab" + key.encode())).decode(),
    "base64 of hex": lambda key: base64.b64encode(key.encode().hex().encode()).decode(),
    "base64 of UTF-16": lambda key: base64.b64encode(key.encode("utf-16-le")).decode(),
    "base64 backwards": lambda key: base64.b64encode(key.encode())[::-1].decode(),
    "base32": lambda key: base64.b32encode(b"ab" + key.encode()).decode(),
    "soft line ends": lambda key: "=\r\n".join(key[at : at + 5] for at in range(0, len(key), 5)),
    "escaped line ends": lambda key: "\\n".join(key[at : at + 5] for at in range(0, len(key), 5)),
    "dots below": lambda key: key.replace("o", "\u1ecd").replace("k", "\u1e33").replace("P", "P\u0323"),
    "rot13": lambda key: codecs.encode(key, "rot13"),
    "rot13 of base64": lambda key: codecs.encode(base64.b64encode(b"a" + key.encode()).decode(), "rot13"),
    "base64 of rot13": lambda key: base64.b64encode(codecs.encode(key, "rot13").encode()).decode(),
    "base64 of capitals": lambda key: base64.b64encode(b"ab" + key.upper().encode()).decode(),
    "base64 in capitals": lambda key: base64.b64encode(b"Bearer " + key.encode()).decode().upper(),
    "base64 in lines": lambda key: "\n".join(textwrap.wrap(base64.b64encode(key.encode()).decode(), 7)),
    "base64 percent": lambda key: quote(base64.b64encode(key.encode()).decode(), safe=""),
    "hex of UTF-16": lambda key: key.encode("utf-16-le").hex(),
    "octal numbers": lambda key: " ".join(f"{ord(c):o}" for c in key),
    "base85": lambda key: base64.b85encode(key.encode()).decode(),
    "base85 behind others": lambda key: base64.b85encode(b"Bearer " + key.encode() + b"!").decode(),
    "Adobe's base85": lambda key: base64.a85encode(b"ab" + key.encode(), adobe=True).decode(),
    "first half": lambda key: key[:16],
    "second half": lambda key: key[16:],
    "any twelve": lambda key: key[9 : 9 + RUN],
}


@pytest.mark.parametrize("spelling", first(20, SPELLINGS))
@given(before=st.text(max_size=30), after=st.text(max_size=30))
@example(before="<", after=">")
@example(before="<a b=", after="c>d>")
def test_no_spelling_of_the_key_is_shown(spelling: str, before: str, after: str) -> None:
    """Wherever in a text it is; what is around it stays."""
    spelled = SPELLINGS[spelling](KEY)
    shown = Scrubber([KEY]).text(f"{before}\n{spelled}\n{after}")
    assert spelled not in shown and "..." in shown
    letters = spelled.replace("%", "").replace(" ", "")
    assert letters[: len(letters) // 2] not in shown.replace("%", "").replace(" ", "")


@given(before=st.text("abcdefgh ", max_size=9), after=st.text("abcdefgh ", max_size=9), safe=st.booleans())
def test_no_base64_with_the_key_in_it_is_shown(before: str, after: str, safe: bool) -> None:
    """At every offset, in both alphabets: decoding what is left gives no run of it."""
    data = f"{before}{KEY}{after}".encode()
    coded = (base64.urlsafe_b64encode if safe else base64.b64encode)(data).decode()
    shown = Scrubber([KEY]).text(f"id {coded} end")
    assert coded not in shown and shown.startswith("id ") and shown.endswith(" end")
    for piece in shown.removeprefix("id ").removesuffix(" end").split("..."):
        padded = piece.replace("-", "+").replace("_", "/")
        for skip in range(4):
            part = padded[skip : skip + (len(padded) - skip) // 4 * 4]
            left = base64.b64decode(part + "=" * (-len(part) % 4)).decode("latin-1")
            assert all(KEY[at : at + RUN] not in left for at in range(len(KEY) - RUN + 1))


@given(st.text(max_size=200))
def test_what_has_nothing_of_the_key_stays(text: str) -> None:
    """To the letter."""
    assert Scrubber([KEY]).text(text) == text or any(KEY[at : at + RUN] in text for at in range(len(KEY)))


def test_short_and_missing_secrets() -> None:
    """A short one is hidden as a whole, a very short one could be any word."""
    assert Scrubber(["abc123xy"]).text("it is abc123xy, abc123") == "it is ..., abc123"
    assert Scrubber(["abc", ""]).text("abc") == "abc"


def test_steps_of_a_dialect_are_scrubbed_whole() -> None:
    """Every text in them, also inside dictionaries and lists; bytes stay."""
    value = {"task": f"t-{KEY}", "urls": [f"https://x/{KEY}"], "n": 3, KEY: None, "data": b"x"}
    shown = Scrubber([KEY]).value(value)
    assert KEY not in repr(shown) and shown["n"] == 3 and shown["data"] == b"x" and len(shown["urls"]) == 1


def test_a_kept_answer_has_no_key_and_its_pictures_are_whole() -> None:
    """Bytes that are no UTF-8 stay as they are."""
    picture = base64.b64encode(bytes(range(256)) * 40)
    body = (
        b'{"a": "'
        + picture
        + b'", "b": "\xff'
        + KEY.encode()
        + b'", "c": "'
        + SPELLINGS["JSON escapes"](KEY).encode()
        + b'"}'
    )
    shown = Scrubber([KEY]).body(body)
    assert KEY.encode() not in shown and b"\\u0073" not in shown and picture in shown and b"\xff" in shown


@pytest.mark.parametrize("spelling", first(9, SPELLINGS))
def test_a_long_run_of_base64_hides_no_key(spelling: str) -> None:
    """Neither inside it nor at its edges; in a kept answer long runs are pictures."""
    spelled = SPELLINGS[spelling](KEY)
    for before in (0, 16_000, 262_144 - 40):
        for rest in ("A" * 9000, " "):
            shown = Scrubber([KEY]).body(b"B" * before + f'"{rest}{spelled}{rest}"'.encode()).decode()
            assert spelled not in shown and "..." in shown


@pytest.mark.parametrize("spelling", first(1, ["long entities", "as it is", "JSON escapes", "base64 twice"]))
def test_no_key_stands_across_the_parts_of_a_kept_answer(spelling: str) -> None:
    """A long text is looked through in parts; what is across two of them is found all the same."""
    key = "sk-0a1b2c3d4e5f6g7h8i9"
    spelled = SPELLINGS[spelling](key)
    for at in range(MOST_TEXT - len(spelled) - 2, MOST_TEXT + 2, 5):
        shown = Scrubber([key]).body(b" " * at + spelled.encode() + b" " * 5000).strip()
        assert shown == b"..." or len(shown) < len(spelled) * RUN // len(key)


@pytest.mark.long
def test_a_long_picture_is_not_cut_by_what_looks_like_the_key() -> None:
    """Random base64 may hold six characters of it in a row, never twelve."""
    picture = base64.b64encode(np.random.default_rng(3).bytes(12 << 20))
    assert Scrubber([KEY]).body(b'"' + picture + b'"') == b'"' + picture + b'"'


HOSTILE: dict[str, Callable[[int], str]] = {
    "key and spaces": lambda n: "key" + " " * n,
    "spaces and colons": lambda n: "token : " * (n // 8),
    "escapes": lambda n: "%41" * (n // 3),
    "entities": lambda n: "&#65;" * (n // 5),
    "nearly the key": lambda n: (KEY[: RUN - 1] + "!") * (n // RUN),
    "nearly a shape": lambda n: "sk-" * (n // 3),
    "data uris": lambda n: "data:image/png;base64," * (n // 22),
    "addresses": lambda n: "https://a" * (n // 9),
    "nearly base64": lambda n: ("A" * 119 + " ") * (n // 120),
    "open brackets": lambda n: "<" * n,
    "backslashes": lambda n: "\\" * n,
    "percents": lambda n: "%25" * (n // 3),
    "ampersands": lambda n: "&amp;" * (n // 5),
    "halves of tags": lambda n: "<" + "a" * (n - 1),
    "letters with marks": lambda n: "\u1ecd" * n,
}


@pytest.mark.long
@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("work", [redact, Scrubber([KEY]).text], ids=["redact", "scrub"])
def test_twice_the_text_takes_about_twice_the_time(text: str, work: Callable[[str], str]) -> None:
    """Short texts, so that the cut plays no part."""
    assert_linear(work, HOSTILE[text](MOST_TEXT // 2), HOSTILE[text](MOST_TEXT), slack=0.002, tries=28)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_huge_text_costs_no_more_than_its_beginning(text: str) -> None:
    """What is shown is short, whatever came."""
    huge = HOSTILE[text](5_000_000)
    assert len(redact(huge)) <= 400 and len(Scrubber([KEY]).text(huge)) <= MOST_TEXT


# ------------------------------------------------------------------------------------------------ through the engine


@pytest.mark.parametrize(
    ("spelling", "place"), every_value([*SPELLINGS], ["words and request id", "task", "error", "kept answer"], most=20)
)
def test_a_server_that_repeats_the_key_shows_it_nowhere(spelling: str, place: str, tmp_path: Path) -> None:
    """Not in the words, the request id, the journal, a sidecar, a kept answer or an error."""
    spelled = SPELLINGS[spelling](KEY)
    data = [{"b64_json": base64.b64encode(PNG).decode(), "revised_prompt": f"a {spelled} fox"}]
    replies: dict[str, list[dict[str, Any]]] = {
        "words and request id": [{"status": 200, "body": {"data": data, "request_id": spelled}}],
        "task": [
            {"status": 200, "body": {"task_id": f"t-{spelled}", "status": "SUBMITTED"}},
            {"poll": True, "status": 404, "body": {"error": {"message": f"no task {spelled}"}}},
        ],
        "error": [{"status": 400, "body": {"error": {"message": f"the prompt is bad {spelled}"}}}],
        "kept answer": [{"status": 200, "body": {"data": [], "note": spelled}}],
    }
    with replying(*replies[place]) as server:
        environ = {"NANO_BANANA_NANOBANANA_API_KEY": KEY, "NANO_BANANA_NANOBANANA_BASE_URL": server.url}
        engine = Engine(tmp_path, specs=QUICK_SPECS, environ=environ)
        asked = [replace(request(prompt="a fox"), num_images=1)]
        run = engine.run(asked, engine.plan(ProviderChoice("nanobanana"), asked))
        assert run.done.wait(60)
        (result,) = run.tasks
        shown = [result.text, str(result.error), repr(run.report.requests), *run.report.notices]
        shown += [repr(vars(each)) for each in History(engine.ledger).pictures()]
        engine.ledger.close()
        files = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
        for text in [*shown, *(data.decode("latin-1") for data in files)]:
            for form in {spelled, KEY, KEY[:RUN], KEY[-RUN:], json.dumps(spelled)[1:-1]}:
                assert form not in text


def test_a_secret_is_hidden_although_it_ends_like_an_escape() -> None:
    """What is behind a part of it may make its last sign look like the beginning of an escape."""
    scrubber = Scrubber(["sk-Zq7/Xw+9_rT4=vB2mK8~pL5"])
    assert scrubber.text("q7/Xw+9_rT4=736b2d") == "...736b2d"
    assert scrubber.text("Zq7/Xw+9_rT4=3DvB2mK8~pL5") == "..."
