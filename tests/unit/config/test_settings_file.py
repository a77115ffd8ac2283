"""Writing settings: every value is understood when it is read back, and what makes no sense changes nothing."""

from __future__ import annotations

import json
import math
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journal_driver import another_process
from pack.core.config.settings import FILE, Settings
from pack.core.config.settings_file import DEFAULTS, WRITABLE, change, set_aside, set_base_url, shown
from pack.core.custom_providers.added_models import with_added
from pack.core.custom_providers.settings_form import known_specs
from pack.core.errors import ConfigError
from pack.core.files import private_files
from pack.core.providers import BUILT_IN


def read(home: Path, **environ: str) -> Settings:
    return Settings.read(home, {f"NANO_BANANA_{name}": value for name, value in environ.items()})


def kept(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home / "settings.json").read_text("utf-8"))
    return found


GOOD: list[tuple[str, Any, Any]] = [
    ("order", ["runflow", "onerouter"], ["runflow", "onerouter"]),
    ("order", ["runflow", "runflow"], ["runflow"]),
    ("order", [], []),
    ("missing_provider", "substitute", True),
    ("missing_provider", "FAIL", False),
    ("on_unknown", "resend", True),
    ("on_unknown", "ask", False),
    ("cap_run", 2, 2.0),
    ("cap_run", 0, 0.0),
    ("cap_run", "$7.50", 7.5),
    ("cap_run", " none ", None),
    ("cap_day", 12345.67, 12345.67),
    ("cap_day", 0.000001, 0.000001),
    ("cap_month", 100.0, 100.0),
    ("cap_month", "off", None),
    ("results_gb", 0.5, 500_000_000),
    ("results_gb", "20", 20_000_000_000),
    ("parallel", 4, 4),
    ("parallel", 4.0, 4),
    ("parallel", "64", 64),
]


def meaning(settings: Settings, name: str) -> Any:
    if name.startswith("cap_"):
        return getattr(settings.caps, name.removeprefix("cap_"))
    names = {"missing_provider": "substitutes", "on_unknown": "resends", "results_gb": "results_bytes"}
    return getattr(settings, names.get(name, name))


@pytest.mark.parametrize(("name", "value", "means"), GOOD)
def test_a_good_value_is_felt_at_once(name: str, value: Any, means: Any, tmp_path: Path) -> None:
    """Exactly as it was given: a sum isn't rounded."""
    change(tmp_path, {name: value}, BUILT_IN)
    assert meaning(read(tmp_path), name) == means


SENSELESS: list[tuple[str, Any]] = [
    ("order", "runflow"),
    ("order", ["nobody"]),
    ("order", ["runflow", 5]),
    ("order", [["runflow"]]),
    ("order", {"runflow": 1}),
    ("missing_provider", "ask"),
    ("missing_provider", True),
    ("on_unknown", "pay"),
    ("on_unknown", 1),
    ("cap_run", "5,00"),
    ("cap_run", "5 dollars"),
    ("cap_run", "-1"),
    ("cap_run", -0.01),
    ("cap_run", "nan"),
    ("cap_run", "inf"),
    ("cap_run", "1e9"),
    ("cap_run", math.nan),
    ("cap_run", math.inf),
    ("cap_run", 10**30),
    ("cap_run", True),
    ("cap_run", False),
    ("cap_day", []),
    ("cap_day", {"usd": 5}),
    ("cap_month", "nein"),
    ("results_gb", "many"),
    ("results_gb", -1),
    ("results_gb", math.nan),
    ("results_gb", 10**12),
    ("parallel", 65),
    ("parallel", -1),
    ("parallel", 1.5),
    ("parallel", "1.5"),
    ("parallel", "²"),
]


@pytest.mark.parametrize(("name", "value"), SENSELESS)
def test_a_senseless_value_is_refused_and_nothing_changes(name: str, value: Any, tmp_path: Path) -> None:
    """Nor does the good one beside it: a page sends all or nothing."""
    change(tmp_path, {"cap_run": "3", "parallel": "2"}, BUILT_IN)
    before = (tmp_path / "settings.json").read_bytes()
    with pytest.raises(ConfigError) as refusal:
        change(tmp_path, {"cap_day": 1, name: value} if name != "cap_day" else {name: value}, BUILT_IN)
    assert name in str(refusal.value).lower() or "order" in str(refusal.value)
    assert (tmp_path / "settings.json").read_bytes() == before


@given(st.text(max_size=12) | st.floats() | st.integers() | st.booleans() | st.none())
def test_no_typing_error_lifts_a_cap(value: Any) -> None:
    """Whatever is typed: it is refused, or it is a cap that reads back as that number, or one of the words for none."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        try:
            change(home, {"cap_run": value}, BUILT_IN)
        except ConfigError:
            assert not (home / "settings.json").exists()
            return
        cap = read(home).caps.run
        word = str(value).strip().removeprefix("$").strip().lower()
        if value is None or not str(value).strip():
            assert cap == 5
        elif word in ("none", "off", "no"):
            assert cap is None
        else:
            assert cap == float(word) and 0 <= cap < 1_000_000


@pytest.mark.parametrize(
    "name", ["proxy", "ca_bundle", "results", "project", "base_urls", "providers", "keys", "x" * 999, ""]
)
def test_what_a_page_has_no_business_with_can_t_be_written(name: str, tmp_path: Path) -> None:
    """A folder, a proxy, somebody's address: only the environment, or a route of their own."""
    with pytest.raises(ConfigError, match="can't be changed here") as refusal:
        change(tmp_path, {name: "x"}, BUILT_IN)
    assert len(str(refusal.value)) < 300 and not (tmp_path / "settings.json").exists()


def test_null_takes_a_setting_back_to_its_default(tmp_path: Path) -> None:
    """One by one, and the file forgets it."""
    change(tmp_path, {"cap_run": 1, "order": ["runflow"], "parallel": 3}, BUILT_IN)
    change(tmp_path, {"cap_run": None, "order": None}, BUILT_IN)
    assert kept(tmp_path) == {"parallel": "3"} and read(tmp_path).caps.run == 5 and read(tmp_path).order == []


def test_the_defaults_shown_are_those_that_hold() -> None:
    """Every writable setting is shown with the default that reading it gives."""
    assert set(DEFAULTS) == set(WRITABLE)
    assert all(read_(Settings()) == read_(Settings({}, {name: DEFAULTS[name]})) for name, read_ in WRITABLE.items())


def test_it_is_said_who_has_set_what(tmp_path: Path) -> None:
    """Environment before file before default, with the variable to look at; folders and proxies only as set or not."""
    change(tmp_path, {"cap_run": 1, "cap_day": 2, "order": ["runflow"]}, BUILT_IN)
    seen = shown(read(tmp_path, CAP_RUN="9", PROXY="http://user:pass@proxy:1", ORDER=" "))
    assert seen["cap_run"] == {"value": "9", "source": "environment", "variable": "NANO_BANANA_CAP_RUN"}
    assert seen["cap_day"] == {"value": "2", "source": "settings", "variable": "NANO_BANANA_CAP_DAY"}
    assert seen["cap_month"]["source"] == "default" and seen["cap_month"]["value"] == "none"
    assert seen["order"] == {"value": ["runflow"], "source": "settings", "variable": "NANO_BANANA_ORDER"}
    assert seen["proxy"] == {"set": True, "variable": "NANO_BANANA_PROXY"} and not seen["results"]["set"]
    assert "pass" not in json.dumps(seen)


def test_the_environment_wins_over_what_a_page_writes(tmp_path: Path) -> None:
    """The operator's cap holds."""
    change(tmp_path, {"cap_run": "none"}, BUILT_IN)
    assert read(tmp_path, CAP_RUN="1").caps.run == 1


DAMAGED = [
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe\x00",
    b"",
    b'{"cap_day": "1",}',
    b'{"cap_day": ' + b"9" * 5000 + b"}",
    b'{"a": ' * 60 + b"1" + b"}" * 60,
    b"[" * 200_000,
    b'{"cap_day": "1"}'.ljust(5 << 20),
    '{"cap_day": "1"}'.encode("utf-16"),
]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_stays_until_the_user_sets_it_aside(content: bytes, tmp_path: Path) -> None:
    """Caps may be in it: another setting that is saved must not put them back to their defaults without a word."""
    (tmp_path / "settings.json").write_bytes(content)
    for save in (lambda: change(tmp_path, {"parallel": 2}, BUILT_IN), lambda: set_base_url(tmp_path, "fal", None)):
        with pytest.raises(ConfigError, match="settings.json") as refusal:
            save()
        assert "set it aside" in str(refusal.value)
    assert (tmp_path / "settings.json").read_bytes() == content
    assert read(tmp_path).damage
    with pytest.raises(ConfigError, match="caps"):
        _ = read(tmp_path).caps
    name = set_aside(tmp_path)
    assert (tmp_path / name).read_bytes() == content and set_aside(tmp_path) == ""
    change(tmp_path, {"cap_run": 1}, BUILT_IN)
    assert kept(tmp_path) == {"cap_run": "1"} and not read(tmp_path).damage


def test_damaged_files_are_all_kept(tmp_path: Path) -> None:
    """The second has a name of its own."""
    names = []
    for content in (b"{1", b"{2"):
        (tmp_path / "settings.json").write_bytes(content)
        names.append(set_aside(tmp_path))
    assert [(tmp_path / name).read_bytes() for name in names] == [b"{1", b"{2"]


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes of POSIX")
def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    """A named pipe would hold its reader for ever."""
    os.mkfifo(tmp_path / "settings.json")
    assert read(tmp_path).damage == "it is no file"


def test_a_byte_order_mark_is_no_damage(tmp_path: Path) -> None:
    """Windows' editors write one: the caps beside it stay when another setting is saved."""
    (tmp_path / "settings.json").write_text(json.dumps({"cap_run": "1", "cap_day": "2"}), "utf-8-sig")
    change(tmp_path, {"parallel": 3}, BUILT_IN)
    assert kept(tmp_path) == {"cap_run": "1", "cap_day": "2", "parallel": "3"}
    assert (read(tmp_path).caps.run, read(tmp_path).caps.day) == (1, 2)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = [*WRITABLE, "base_urls", "models", "providers", "proxy", "ca_bundle", "results", "project"]


@given(
    st.dictionaries(st.sampled_from(NAMES), ANYTHING | st.dictionaries(st.sampled_from(["google", "own"]), ANYTHING))
)
def test_whatever_stands_in_the_file_is_used_or_refused_in_words(stored: dict[str, Any]) -> None:
    """Every reading gives a value or a ConfigError, and a page can still be shown what is there."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "settings.json").write_text(json.dumps(stored), "utf-8")
        settings = read(home)
        shown(settings)
        readings: list[Any] = [
            *WRITABLE.values(),
            lambda each: each.results_folder,
            lambda each: each.proxy,
            lambda each: each.ca_bundle,
            lambda each: each.project,
            lambda each: each.base_url(BUILT_IN["google"]),
            known_specs,
            lambda each: with_added(BUILT_IN["google"], each),
        ]
        for reading in readings:
            try:
                reading(settings)
            except ConfigError as error:
                assert len(str(error)) < 1000
        change(home, {"parallel": 3}, BUILT_IN)
        assert read(home).parallel == 3


def test_unknown_content_stays(tmp_path: Path) -> None:
    """What a later version or the user has put in, in whatever letters."""
    before = {"later": {"a": [1]}, "note": "für später 🍌", "providers": {"mine": {"label": "x"}}}
    (tmp_path / "settings.json").write_text(json.dumps(before), "utf-8")
    change(tmp_path, {"cap_run": 1}, BUILT_IN)
    set_base_url(tmp_path, "onerouter", "https://a.example")
    assert kept(tmp_path) == {**before, "cap_run": "1", "base_urls": {"onerouter": "https://a.example"}}


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("https://api.example.com", "https://api.example.com"),
        (" https://api.example.com/v1/ ", "https://api.example.com"),
        ("https://api.example.com/v1/images/generations", "https://api.example.com"),
        ("https://api.example.com/v1/images/generations/", "https://api.example.com"),
        ("https://api.example.com/proxy/v1/images/edits", "https://api.example.com/proxy"),
        ("https://api.example.com/v1/images/generations?model=x#y", "https://api.example.com"),
        ('"https://api.example.com"', "https://api.example.com"),
        ("HTTPS://API.EXAMPLE.COM:443", "https://api.example.com:443"),
        ("http://127.0.0.1:3000/v1", "http://127.0.0.1:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
    ],
)
def test_an_address_is_kept_as_it_was_meant(text: str, means: str, tmp_path: Path) -> None:
    """Pasted with an endpoint, a version, spaces, quotes."""
    set_base_url(tmp_path, "onerouter", text)
    assert kept(tmp_path)["base_urls"] == {"onerouter": means}
    assert read(tmp_path).base_url(BUILT_IN["onerouter"]) == means


@pytest.mark.parametrize(
    "text",
    ["api.example.com", "ftp://a.example", "javascript:alert(1)", "http://a.example", "http://192.168.1.2:3000",
     "https://user:s3cret@a.example", "https://a b.example", "https://a\n.example", "https://\u200ba.example", "https://",
     "https://a.example:99999", "https://[x"],
)  # fmt: skip
def test_an_address_that_is_none_or_shows_the_key_is_refused(text: str, tmp_path: Path) -> None:
    """And the one before stays."""
    set_base_url(tmp_path, "onerouter", "https://before.example")
    with pytest.raises(ConfigError, match="the field") as refusal:
        set_base_url(tmp_path, "onerouter", text)
    assert "s3cret" not in str(refusal.value)
    assert kept(tmp_path)["base_urls"] == {"onerouter": "https://before.example"}


def test_a_provider_gets_its_own_address_back(tmp_path: Path) -> None:
    """By null; another's stays, and a senseless list of addresses is mended."""
    set_base_url(tmp_path, "onerouter", "https://one.example")
    set_base_url(tmp_path, "runflow", "https://two.example")
    set_base_url(tmp_path, "onerouter", None)
    assert kept(tmp_path)["base_urls"] == {"runflow": "https://two.example"}
    (tmp_path / "settings.json").write_text('{"base_urls": [1]}')
    set_base_url(tmp_path, "onerouter", "https://one.example")
    assert kept(tmp_path)["base_urls"] == {"onerouter": "https://one.example"}


def test_two_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    """Each changes its own."""
    other = another_process(
        tmp_path,
        "from pack.core.config.settings_file import set_base_url\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "for n in range(20): set_base_url(Path(sys.argv[2]), f'theirs{n}', f'https://t{n}.example')\n"
        "print('done', flush=True)\n",
    )
    other.stdin.write("go\n")
    other.stdin.flush()
    for number in range(20):
        set_base_url(tmp_path, f"ours{number}", f"https://o{number}.example")
    assert other.stdout.readline().strip() == "done" and other.wait(10) == 0
    assert len(kept(tmp_path)["base_urls"]) == 40


def test_a_write_that_fails_is_told_and_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full: a sentence, no remains."""
    change(tmp_path, {"cap_run": 1}, BUILT_IN)

    def full(source: Any, target: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(private_files.os, "replace", full)
    with pytest.raises(ConfigError, match="No space left"):
        change(tmp_path, {"cap_run": 2}, BUILT_IN)
    assert kept(tmp_path) == {"cap_run": "1"} and not list(tmp_path.glob("*.part"))


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_the_file_is_the_user_s_alone(tmp_path: Path) -> None:
    """Addresses are nobody else's business."""
    before = os.umask(0)
    try:
        change(tmp_path / "home", {"cap_run": 1}, BUILT_IN)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "home" / "settings.json").stat().st_mode) == 0o600


@pytest.mark.skipif(os.name != "posix", reason="links are POSIX's")
@pytest.mark.parametrize(
    "target", ["/dev/zero", "gone/settings.json", "settings.json"], ids=["endless", "absent", "circle"]
)
def test_a_link_that_leads_to_no_file_is_damage(target: str, tmp_path: Path) -> None:
    """Its file may come back, with the caps in it: nothing is paid and nothing saved in its place until then."""
    (tmp_path / FILE).symlink_to(target)
    with pytest.raises(ConfigError, match="caps"):
        assert Settings.read(tmp_path, {}).caps
    with pytest.raises(ConfigError, match=FILE):
        change(tmp_path, {"parallel": 2}, BUILT_IN)
    assert os.readlink(tmp_path / FILE) == target
    assert set_aside(tmp_path) and Settings.read(tmp_path, {}).caps.run == 5


def test_a_cap_with_an_underscore_is_a_mistake(tmp_path: Path) -> None:
    """Python would read 1_0 as ten."""
    with pytest.raises(ConfigError):
        change(tmp_path, {"cap_run": "1_0"}, BUILT_IN)
