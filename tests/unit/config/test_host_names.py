"""Names of this machine: which are safe by themselves, which the user has named, and which a code has accepted."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pack.core.config.host_names import MOST, accept, accepted, is_local, is_named, is_own_host, name_in, withdraw
from pack.core.config.settings import Settings
from pack.core.config.settings_file import change
from pack.core.errors import ConfigError
from pack.core.providers import BUILT_IN

ROOT = Path(__file__).resolve().parents[3]
# The folder's own __init__ is for a running ComfyUI.
spec = importlib.util.spec_from_file_location("host_codes_alone", ROOT / "routes" / "host_codes.py")
assert spec is not None and spec.loader is not None
host_codes: Any = importlib.util.module_from_spec(spec)
sys.modules["host_codes_alone"] = host_codes
spec.loader.exec_module(host_codes)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("127.0.0.1:8188", "127.0.0.1"),
        ("[::1]:8188", "::1"),
        ("[fe80::1%25eth0]:8188", "fe80::1%25eth0"),
        ("[::ffff:192.168.1.5]", "::ffff:192.168.1.5"),
        ("203.0.113.9", "203.0.113.9"),
        ("LocalHost", "localhost"),
        ("app.localhost.:8188", "app.localhost"),
        ("desktop:80", "desktop"),
        ("my_box", "my_box"),
        ("nas.local", "nas.local"),
        ("box.lan", "box.lan"),
        ("", ""),
    ],
)
def test_what_no_stranger_can_answer_for_is_safe(host: str, name: str) -> None:
    assert name_in(host) == name and is_local(name)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "abc-8188.proxy.runpod.net", "127.0.0.1.nip.io", "localhost.evil.example", "local.example",
     "xlocal.example:1", "0x7f.1", "127.1", "2130706433.example", "xn--80ak6aa92e.com", "home.arpa.evil.example"],
)  # fmt: skip
def test_what_a_dns_server_may_answer_for_is_not(host: str) -> None:
    assert not is_local(name_in(host))


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        ("comfy.example.com", "comfy.example.com", True),
        (" Other.example ; https://Comfy.example.com:8443/path ", "comfy.example.com", True),
        ("*.proxy.runpod.net", "abc-8188.proxy.runpod.net", True),
        ("*.proxy.runpod.net", "proxy.runpod.net", False),
        ("*.proxy.runpod.net", "evilproxy.runpod.net", False),
        ("*.proxy.runpod.net", "proxy.runpod.net.evil.example", False),
        ("*", "evil.example", False),
        ("*.", "evil.example", False),
        ("*.*", "evil.example", False),
        ("example.com", "evil.example.com", False),
    ],
)  # fmt: skip
def test_names_of_the_environment(text: str, name: str, found: bool) -> None:
    """Exactly, or below a `*.`; as they are pasted."""
    assert is_named(name, text) is found


@pytest.mark.parametrize("host", ["[::1].evil.example", "[::1]evil.example:80", "[::1]]", "[::1]:80:80", "[::1"])
def test_an_address_with_something_behind_it_is_malformed(host: str) -> None:
    with pytest.raises(ValueError):
        name_in(host)


@given(st.text(max_size=40))
def test_any_host_is_a_name_or_a_value_error(host: str) -> None:
    """And a name can be written to a console as it is."""
    try:
        name = name_in(host)
    except ValueError:
        return
    assert name.isprintable() and name.isascii() and "/" not in name and len(name) <= 253


def test_accepted_names_are_kept_where_no_page_writes(tmp_path: Path) -> None:
    """In the settings, beside what else is there; taken back one by one; so many and no more."""
    change(tmp_path, {"cap_run": 1}, BUILT_IN)
    accept(tmp_path, "comfy.example")
    settings = Settings.read(tmp_path, {})
    assert accepted(settings) == ["comfy.example"] and settings.caps.run == 1
    assert is_own_host("comfy.example", {}, accepted(settings)) and not is_own_host(
        "x.comfy.example", {}, accepted(settings)
    )
    with pytest.raises(ConfigError):
        change(tmp_path, {"hosts": ["evil.example"]}, BUILT_IN)
    assert withdraw(tmp_path, "comfy.example") and not withdraw(tmp_path, "comfy.example")
    for number in range(MOST):
        accept(tmp_path, f"n{number}.example")
    with pytest.raises(ConfigError, match=str(MOST)):
        accept(tmp_path, "more.example")


@pytest.mark.parametrize("stored", ['{"hosts": "evil.example"}', '{"hosts": {"a": 1}}', '{"hosts": [1, null]}', "{"])
def test_a_file_edited_by_hand_accepts_nobody_by_mistake(stored: str, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(stored)
    assert accepted(Settings.read(tmp_path, {})) == []


class Console:
    """What is in the console, and a clock that is set by hand."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.now = 0.0
        self.there = True
        self.codes = host_codes.HostCodes(self.say, lambda: self.now)

    def say(self, text: str) -> bool:
        if self.there:
            self.lines.append(text)
        return self.there

    def code(self, number: int = -1) -> str:
        return self.lines[number].partition("enter the code ")[2].split()[0]


def test_a_code_counts_once_for_its_own_name() -> None:
    """In any letters, with or without its hyphen; each name has its own."""
    console = Console()
    assert console.codes.announce("a.example") and console.codes.announce("b.example")
    assert console.codes.announce("a.example") and len(console.lines) == 2
    first, second = console.code(0), console.code(1)
    assert first != second and len(first.replace("-", "")) == 10
    assert not console.codes.is_right("b.example", first) and not console.codes.is_right("c.example", first)
    assert console.codes.is_right("a.example", f" {first.lower().replace('-', ' ')} ")
    assert not console.codes.is_right("a.example", first)


def test_wrong_codes_make_it_void() -> None:
    """After five, for a minute; then there is another one, and the first stays void. A page can't guess its way in."""
    console = Console()
    console.codes.announce("a.example")
    first = console.code()
    for wrong in ("", "AAAAA-AAAAA", first[:-1], f"{first}A", "é" * 10):
        assert not console.codes.is_right("a.example", wrong)
    for _ in range(3):
        with pytest.raises(host_codes.TooManyTries):
            console.codes.is_right("a.example", first)
    assert not console.codes.announce("a.example") and len(console.lines) == 1
    console.now += host_codes.PAUSE_SECONDS
    assert not console.codes.is_right("a.example", first)
    assert console.codes.announce("a.example") and console.code() != first
    assert not console.codes.is_right("a.example", first) and console.codes.is_right("a.example", console.code())


def test_a_page_with_many_names_can_t_fill_the_console() -> None:
    """So many wait at a time; an old code is void by itself."""
    console = Console()
    for number in range(100):
        console.codes.announce(f"n{number}.example")
    assert len(console.lines) == host_codes.MOST
    first = console.code(0)
    console.now += host_codes.LIFE_SECONDS
    assert not console.codes.is_right("n0.example", first) and console.codes.announce("late.example")


def test_without_a_console_no_code_counts() -> None:
    console = Console()
    console.there = False
    assert not console.codes.announce("a.example")
    assert not console.codes.is_right("a.example", "") and not console.codes.is_right("a.example", "None")
