"""The key store: private, whole whatever happens while it is written, bound to an origin, and never shown."""

from __future__ import annotations

import json
import os
import socket
import stat
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from dialect_driver import request
from hypothesis import given
from hypothesis import strategies as st
from journal_driver import another_process
from pack.core.config.settings import Settings
from pack.core.errors import ConfigError
from pack.core.files import private_files
from pack.core.files.private_files import write
from pack.core.keys.store import KeyStore, StoredKey, origin_of
from pack.core.planning.choice import ProviderChoice
from pack.core.planning.resolver import ProviderResolver
from pack.core.providers import BUILT_IN

KEY = "sim-canary-4e21aa90"
HERE = "https://api.example.com"


def store(home: Path) -> KeyStore:
    return KeyStore(home, clock=lambda: 1000.0)


def value(home: Path, profile: str = "default", provider: str = "onerouter") -> str | None:
    found = store(home).get(provider, profile)
    return found.value if found else None


def test_a_key_is_kept_replaced_and_deleted(tmp_path: Path) -> None:
    """By provider and profile; a neighbour is not touched."""
    keys = store(tmp_path / "new" / "folder")
    keys.put("onerouter", "default", KEY, HERE)
    keys.put("onerouter", "team", "sim-team", HERE)
    keys.put("runflow", "default", "sim-other", HERE)
    keys.put("onerouter", "default", "sim-second", HERE)
    assert keys.get("onerouter", "default") == StoredKey("sim-second", "https://api.example.com:443")
    assert keys.profiles("onerouter") == ["default", "team"] and keys.profiles("apiframe") == []
    assert keys.delete("onerouter", "default") and not keys.delete("onerouter", "default")
    assert keys.get("onerouter", "default") is None and keys.profiles("onerouter") == ["team"]
    found = keys.get("runflow", "default")
    assert found is not None and found.value == "sim-other"


def test_an_untouched_folder_stays_untouched(tmp_path: Path) -> None:
    """Reading, and deleting what isn't there, makes no file."""
    keys = store(tmp_path / "none")
    assert keys.get("onerouter", "default") is None and keys.tested("onerouter", "default") is None
    assert not keys.delete("onerouter", "default")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_nobody_else_may_read_it_at_any_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """0600 with an open umask, while it is written too, and a file that somebody opened is closed again."""
    seen: list[int] = []
    replace = os.replace

    def look(source: Any, target: Any) -> None:
        seen.append(stat.S_IMODE(os.stat(source).st_mode))
        replace(source, target)

    monkeypatch.setattr(private_files.os, "replace", look)
    before = os.umask(0)
    try:
        store(tmp_path / "home").put("onerouter", "default", KEY, HERE)
        file = tmp_path / "home" / "keys.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        file.chmod(0o644)
        store(tmp_path / "home").put("onerouter", "team", KEY, HERE)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and seen == [0o600, 0o600]


@pytest.mark.skipif(os.name != "posix", reason="symbolic links")
def test_what_lies_where_it_is_written_is_not_followed(tmp_path: Path) -> None:
    """A left-over or planted part file neither widens the mode nor leads the key elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("theirs")
    (tmp_path / f"keys.json.{socket.gethostname()}.{os.getpid()}.part").symlink_to(elsewhere)
    write(tmp_path / "keys.json", b"{}")
    assert elsewhere.read_text() == "theirs" and not (tmp_path / "keys.json").is_symlink()
    assert (tmp_path / "keys.json").read_bytes() == b"{}"


def test_two_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    """Each puts its own; whoever reads meanwhile sees a whole file."""
    other = another_process(
        tmp_path,
        "from pack.core.keys.store import KeyStore\n"
        "store = KeyStore(Path(sys.argv[2]))\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "for n in range(20): store.put('onerouter', f'theirs{n}', f'sim-{n}', 'https://api.example.com')\n"
        "print('done', flush=True)\n",
    )
    other.stdin.write("go\n")
    other.stdin.flush()
    ended = threading.Event()
    broken: list[Exception] = []

    def read() -> None:
        while not ended.is_set():
            try:
                store(tmp_path).get("onerouter", "ours0")
            except Exception as error:
                broken.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(20):
        store(tmp_path).put("onerouter", f"ours{number}", f"sim-{number}", HERE)
    assert other.stdout.readline().strip() == "done" and other.wait(10) == 0
    ended.set()
    reader.join()
    assert not broken
    wanted = {f"{who}{n}" for who in ("ours", "theirs") for n in range(20)}
    assert set(store(tmp_path).profiles("onerouter")) == wanted
    assert not list(tmp_path.glob("*.part"))


def test_a_write_that_fails_leaves_the_old_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full at the last moment: told in a sentence, without the key and without remains."""
    store(tmp_path).put("onerouter", "default", "sim-old", HERE)

    def full(source: Any, target: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(private_files.os, "replace", full)
    with pytest.raises(ConfigError, match="No space left") as refusal:
        store(tmp_path).put("onerouter", "default", KEY, HERE)
    assert KEY not in str(refusal.value) and "environment variable" in str(refusal.value)
    assert value(tmp_path) == "sim-old" and not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("content", [b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 200_000])
def test_a_damaged_file_is_never_written_over(content: bytes, tmp_path: Path) -> None:
    """Somebody's keys may be in it: reading and writing both say so, and the bytes stay."""
    (tmp_path / "keys.json").write_bytes(content)
    for act in (
        lambda: store(tmp_path).get("onerouter", "default"),
        lambda: store(tmp_path).put("onerouter", "default", KEY, HERE),
        lambda: store(tmp_path).delete("onerouter", "default"),
        lambda: store(tmp_path).record_test("onerouter", "default", "works", "yes"),
    ):
        with pytest.raises(ConfigError, match=r"keys\.json") as refusal:
            act()
        assert KEY not in str(refusal.value)
    assert (tmp_path / "keys.json").read_bytes() == content


@pytest.mark.parametrize(
    "content",
    [
        {"keys": [], "tests": None},
        {"keys": {"onerouter": "sim-x"}, "tests": {"onerouter": 5}},
        {"keys": {"onerouter": {"default": "sim-x"}}},
        {"keys": {"onerouter": {"default": {"key": 5, "origin": HERE}}}},
        {"keys": {"onerouter": {"default": None}}},
    ],
)
def test_an_edited_file_with_something_else_in_it_counts_as_no_key(content: Any, tmp_path: Path) -> None:
    """A good file with odd values inside: nothing to use, and it can be put right by entering the key again."""
    (tmp_path / "keys.json").write_text(json.dumps(content))
    keys = store(tmp_path)
    assert keys.get("onerouter", "default") is None and keys.tested("onerouter", "default") is None
    keys.put("onerouter", "default", KEY, HERE)
    keys.record_test("onerouter", "default", "works", "yes")
    assert value(tmp_path) == KEY
    assert keys.tested("onerouter", "default") == {"at": 1000.0, "verdict": "works", "text": "yes"}


def test_what_a_later_version_writes_stays(tmp_path: Path) -> None:
    """Unknown names in the file survive a change."""
    (tmp_path / "keys.json").write_text(json.dumps({"keys": {"x": {"default": {"key": "k", "new": 1}}}, "later": [1]}))
    store(tmp_path).put("onerouter", "default", KEY, HERE)
    data = json.loads((tmp_path / "keys.json").read_text())
    assert data["later"] == [1] and data["keys"]["x"]["default"] == {"key": "k", "new": 1} and data["version"] == 1


@pytest.mark.parametrize(
    "text", [f"  {KEY}\n", f'"{KEY}"', f"Bearer {KEY}", f"Key {KEY}", f"Authorization: Bearer {KEY}"]
)
def test_a_pasted_key_is_kept_as_it_was_meant(text: str, tmp_path: Path) -> None:
    """Quotes, spaces and schemes are not part of it."""
    store(tmp_path).put("onerouter", "default", text, HERE)
    assert value(tmp_path) == KEY


@pytest.mark.parametrize(
    "text", ["", "  ", "Bearer ", "''", "sim\u200bcanary", "sim canary", "sïm-canary", "sim\x00c", "x" * 5000]
)
def test_what_can_t_be_a_key_is_refused_and_nothing_is_written(text: str, tmp_path: Path) -> None:
    """And isn't repeated."""
    with pytest.raises(ConfigError) as refusal:
        store(tmp_path).put("onerouter", "default", text, HERE)
    assert "canary" not in str(refusal.value) and "xxx" not in str(refusal.value)
    assert not (tmp_path / "keys.json").exists()


@pytest.mark.parametrize("profile", ["", "a b", "../x", "a/b", "x" * 33, "ä", "a\n"])
def test_a_profile_s_name_is_letters_digits_and_dashes(profile: str, tmp_path: Path) -> None:
    """It becomes part of a variable's name."""
    with pytest.raises(ConfigError, match="profile"):
        store(tmp_path).put("onerouter", profile, KEY, HERE)
    assert not (tmp_path / "keys.json").exists()


@pytest.mark.parametrize(
    ("entered", "now", "same"),
    [
        ("https://api.example.com", "https://api.example.com", True),
        ("https://api.example.com", "https://API.Example.COM/v1/", True),
        ("https://api.example.com", "https://api.example.com:443", True),
        ("https://api.example.com/one", "https://api.example.com/two", True),
        ("https://api.example.com", "https://api.example.com.", True),
        ("http://127.0.0.1:80", "http://127.0.0.1", True),
        ("https://api.example.com", "https://api.example.com:8443", False),
        ("http://127.0.0.1:443", "https://127.0.0.1:443", False),
        ("http://127.0.0.1:9001", "http://127.0.0.1:9002", False),
        ("https://api.example.com", "https://api.example.com.evil.example", False),
        ("https://api.example.com", "https://example.com", False),
        ("https://api.example.com", "https://api.example.com@evil.example", False),
        ("https://api.example.com", "http://api.example.com", False),
        ("https://api.example.com", "", False),
        ("https://api.example.com", "api.example.com", False),
    ],
)
def test_a_key_belongs_to_the_origin_it_was_entered_for(entered: str, now: str, same: bool, tmp_path: Path) -> None:
    """Scheme, host and port; case, default port and path make no difference."""
    store(tmp_path).put("onerouter", "default", KEY, entered)
    found = store(tmp_path).get("onerouter", "default")
    assert found is not None and found.is_for(now) is same


def test_a_key_without_an_origin_is_for_nobody(tmp_path: Path) -> None:
    """A file that was edited by hand opens no way around the binding."""
    (tmp_path / "keys.json").write_text(json.dumps({"keys": {"onerouter": {"default": {"key": KEY}}}}))
    found = store(tmp_path).get("onerouter", "default")
    assert found is not None and not found.is_for(HERE) and not found.is_for("")


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=60))
def test_a_stored_key_is_never_shown(text: str) -> None:
    """Neither by repr nor as text."""
    key = StoredKey("Zq" + text + "Zq", origin_of(HERE))
    assert key.value not in repr(key) and key.value not in str(key)


def test_a_new_key_has_no_old_verdict(tmp_path: Path) -> None:
    """A test of the key before says nothing about the key now."""
    keys = store(tmp_path)
    keys.put("onerouter", "default", KEY, HERE)
    keys.record_test("onerouter", "default", "refused", "no")
    keys.put("onerouter", "default", "sim-new", HERE)
    assert keys.tested("onerouter", "default") is None
    keys.record_test("onerouter", "default", "works", "yes")
    keys.delete("onerouter", "default")
    assert keys.tested("onerouter", "default") is None


# ------------------------------------------------------------------------------------ which key a provider is sent


SPEC = BUILT_IN["onerouter"]
THERE = "https://elsewhere.example"


def resolver(home: Path, environ: dict[str, str] | None = None, url: str = "") -> ProviderResolver:
    stored = {"base_urls": {"onerouter": url}} if url else {}
    return ProviderResolver(Settings(environ or {}, stored), store=KeyStore(home).get)


def test_a_changed_address_disables_the_stored_key_and_the_first_one_enables_it_again(tmp_path: Path) -> None:
    """The sentence says why and what to do; the key stays, for the address it was for."""
    store(tmp_path).put("onerouter", "default", KEY, SPEC.base_url)
    assert resolver(tmp_path).with_keys() == ["onerouter"]
    moved = resolver(tmp_path, url=THERE)
    assert moved.keys.key(SPEC, "default") is None and moved.with_keys() == []
    with pytest.raises(ConfigError, match="another address") as refusal:
        moved.check(ProviderChoice("onerouter"))
    assert KEY not in str(refusal.value) and "Settings" in str(refusal.value)
    assert moved.resumable_target("onerouter", "default", THERE) is None
    back = resolver(tmp_path).keys.key(SPEC, "default")
    assert back is not None and back.value == KEY


def test_a_key_of_the_environment_does_not_follow_an_address_that_a_page_has_set(tmp_path: Path) -> None:
    """It was meant for the provider; an address in the environment beside it is the operator's own word."""
    environ = {"ONEROUTER_API_KEY": KEY}
    moved = resolver(tmp_path, environ, THERE)
    assert moved.keys.key(SPEC, "default") is None
    with pytest.raises(ConfigError, match="NANO_BANANA_ONEROUTER_BASE_URL") as refusal:
        moved.check(ProviderChoice("onerouter"))
    assert KEY not in str(refusal.value)
    named = resolver(tmp_path, environ | {"NANO_BANANA_ONEROUTER_BASE_URL": THERE}, HERE)
    found = named.keys.key(SPEC, "default")
    assert found is not None and found.value == KEY


def test_the_provider_s_own_address_written_out_is_not_another_one(tmp_path: Path) -> None:
    """Pasted into the settings with its endpoint, as people do."""
    found = resolver(tmp_path, {"ONEROUTER_API_KEY": KEY}, f"{SPEC.base_url}/v1/images/generations").keys.key(
        SPEC, "default"
    )
    assert found is not None and found.value == KEY


def test_a_key_entered_for_the_new_address_is_used_beside_one_in_the_environment(tmp_path: Path) -> None:
    """The cure that the message names works."""
    store(tmp_path).put("onerouter", "default", "sim-entered", THERE)
    moved = resolver(tmp_path, {"ONEROUTER_API_KEY": KEY}, THERE)
    found = moved.keys.key(SPEC, "default")
    assert found is not None and found.value == "sim-entered" and moved.keys.unused_reason(SPEC, "default") == ""
    moved.check(ProviderChoice("onerouter"))
    home = resolver(tmp_path, {"ONEROUTER_API_KEY": KEY})
    first = home.keys.key(SPEC, "default")
    assert first is not None and first.value == KEY


def test_a_profile_s_key_is_bound_like_any_other(tmp_path: Path) -> None:
    """And the default key is not taken in its place."""
    store(tmp_path).put("onerouter", "team", KEY, HERE)
    store(tmp_path).put("onerouter", "default", "sim-default", SPEC.base_url)
    with pytest.raises(ConfigError, match="another address"):
        resolver(tmp_path).check(ProviderChoice("onerouter", profile="team"))
    moved = resolver(tmp_path, url=HERE)
    found = moved.keys.key(SPEC, "team")
    assert found is not None and found.value == KEY and moved.keys.key(SPEC, "default") is None


def test_offers_are_made_by_those_whose_key_is_for_their_address(tmp_path: Path) -> None:
    """A price list must not promise what a run would refuse."""
    store(tmp_path).put("onerouter", "default", KEY, HERE)
    store(tmp_path).put("runflow", "default", KEY, BUILT_IN["runflow"].base_url)
    specs = [offer.spec.id for offer in resolver(tmp_path).offers(ProviderChoice(), [request()]) if offer.usable]
    assert specs == ["runflow", "offline"]
    assert resolver(tmp_path).ordered_ids()[-1] == "offline" and set(resolver(tmp_path).ordered_ids()) == set(BUILT_IN)


def test_a_byte_order_mark_is_no_damage(tmp_path: Path) -> None:
    """Windows' editors write one."""
    store(tmp_path).put("onerouter", "default", KEY, HERE)
    file = tmp_path / "keys.json"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    store(tmp_path).put("onerouter", "team", KEY, HERE)
    assert store(tmp_path).profiles("onerouter") == ["default", "team"]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FACTS = st.dictionaries(st.sampled_from(["key", "origin", "added", "at", "verdict", "text"]), ANYTHING) | ANYTHING
SECTION = st.dictionaries(st.just("onerouter"), st.dictionaries(st.just("default"), FACTS) | ANYTHING) | ANYTHING


@given(st.dictionaries(st.sampled_from(["keys", "tests", "version"]), SECTION))
def test_whatever_stands_in_the_file_is_used_or_passed_over(content: dict[str, Any]) -> None:
    """No mistake in a file edited by hand is an error of Python's, and a new key can be entered beside it."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "keys.json").write_text(json.dumps(content), "utf-8")
        keys = store(Path(folder))
        found = keys.get("onerouter", "default")
        assert found is None or not found.is_for("https://other.example")
        tested = keys.tested("onerouter", "default")
        assert tested is None or isinstance(tested["text"], str)
        keys.profiles("onerouter")
        keys.put("onerouter", "default", KEY, HERE)
        assert keys.profiles("onerouter")[0] == "default"


def test_a_key_that_stands_where_a_name_should_is_not_listed(tmp_path: Path) -> None:
    """The names of profiles are shown to pages."""
    swapped = {"keys": {"onerouter": {"sk-canary1234567890abcdef": {"key": "default", "origin": HERE}}}}
    (tmp_path / "keys.json").write_text(json.dumps(swapped))
    assert store(tmp_path).profiles("onerouter") == []
