"""Keys: where they come from, in which order, how pasted text is cleaned, and that no message repeats one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pack.core.errors import ConfigError
from pack.core.keys.sources import Key, checked_profile, cleaned, find_key, key_for, variables
from pack.core.providers import BUILT_IN

SPEC = BUILT_IN["onerouter"]
OURS, USUAL, SECOND = "NANO_BANANA_ONEROUTER_API_KEY", "ONEROUTER_API_KEY", "INFRON_API_KEY"


def test_the_order_of_the_places(tmp_path: Path) -> None:
    """Our variable, its file, the usual variables, the store; the source is named."""
    file = tmp_path / "key"
    file.write_text("key-from-file\n")
    environ = {OURS: "key-ours", f"{OURS}_FILE": str(file), USUAL: "key-usual", SECOND: "key-second"}
    stored = {("onerouter", "default"): "key-stored"}
    found = []
    for gone in (None, OURS, f"{OURS}_FILE", USUAL, SECOND):
        environ.pop(gone or "", None)
        key = find_key(SPEC, "default", environ, lambda *place: stored.get(place))
        assert key is not None
        found.append((key.value, key.source))
    assert found == [
        ("key-ours", OURS),
        ("key-from-file", f"{OURS}_FILE"),
        ("key-usual", USUAL),
        ("key-second", SECOND),
        ("key-stored", "the key store"),
    ]
    assert find_key(SPEC, "default", {}, lambda *_: None) is None and find_key(SPEC, "default", {}) is None


def test_an_empty_variable_is_no_key() -> None:
    """`X=` in a compose file must not hide the next place."""
    assert find_key(SPEC, "default", {OURS: "  ", USUAL: "key-usual"}) == Key("key-usual", USUAL)


def test_a_profile_has_its_own_places_only() -> None:
    """Another person's key never falls back on the default one."""
    environ = {OURS: "key-ours", USUAL: "key-usual", "NANO_BANANA_ONEROUTER_MY_TEAM_API_KEY": "key-team"}
    assert variables(SPEC, "my-team") == ["NANO_BANANA_ONEROUTER_MY_TEAM_API_KEY"]
    found = find_key(SPEC, "my-team", environ)
    assert found is not None and found.value == "key-team"
    assert find_key(SPEC, "other", environ) is None
    kept = find_key(SPEC, "other", {}, lambda provider, profile: f"key-{provider}-{profile}")
    assert kept is not None and kept.value == "key-onerouter-other"


@pytest.mark.parametrize(
    "text",
    [
        "abc-123",
        " abc-123\r\n",
        "\ufeffabc-123",
        "'abc-123'",
        '"abc-123"',
        "`abc-123`",
        "Bearer abc-123",
        "bearer   abc-123",
        "Key abc-123",
        "Authorization: Bearer abc-123",
        '"Bearer abc-123"',
        "' abc-123 '",
    ],
)
def test_pasted_text_is_cleaned(text: str) -> None:
    """Quotes, spaces, byte order marks and schemes."""
    assert cleaned(text, "X") == "abc-123"


@pytest.mark.parametrize(
    "text",
    [
        "KEY=abc-123",
        "GEMINI_API_KEY=abc-123\r\n",
        "export GEMINI_API_KEY=abc-123",
        'export GEMINI_API_KEY="abc-123"',
        "set OPENROUTER_API_KEY=abc-123",
        'setx FAL_KEY "abc-123"',
        "$env:GEMINI_API_KEY = 'abc-123'",
        "GEMINI_API_KEY: abc-123",
        '"GEMINI_API_KEY": "abc-123",',
        "GEMINI_API_KEY='abc-123' # mine",
        "'REPLICATE_API_TOKEN=abc-123'",
        "x-goog-api-key:abc-123",
        "-H 'Authorization: Bearer abc-123'",
    ],
)
def test_a_pasted_line_is_the_key_in_it(text: str) -> None:
    """Of a shell, a settings file, a compose file, a header."""
    assert cleaned(text, "X") == "abc-123"


@pytest.mark.parametrize("key", ["abc:123==", "3f2a9c1e:0123abc=", "my_key=", "key_live=abc==", "sk-a=b:c", "key-1:2"])
def test_a_key_keeps_its_own_signs(key: str) -> None:
    """Keys may hold = and : themselves."""
    assert cleaned(key, "X") == key == cleaned(f"export FAL_KEY={key}", "X")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"type": "service_account"}', "JSON document"),
        ("A_KEY=abc\nB_KEY=abd", "several lines"),
        ("abc\n123", "several lines"),
        ("abc 123", "invisible or foreign"),
    ],
)
def test_what_is_more_than_a_key_is_told_as_what_it_is(text: str, words: str) -> None:
    """The message says what to paste instead."""
    with pytest.raises(ConfigError, match=words) as refusal:
        cleaned(text, "MY_PLACE")
    assert "MY_PLACE" in str(refusal.value) and "abc" not in str(refusal.value)


@pytest.mark.parametrize(
    "text",
    ["abc\u200b123", "abc\u00a0123", "abc 123", "abc\n123", "abc\x00123", "äbc123", "x" * 5000, "''", "Bearer  ", " "],
)
def test_what_can_t_be_a_key_is_refused_without_repeating_it(text: str) -> None:
    """Invisible and foreign characters, inner spaces, endless text, nothing."""
    with pytest.raises(ConfigError) as refusal:
        cleaned(text, "MY_PLACE")
    assert "MY_PLACE" in str(refusal.value)
    assert "abc" not in str(refusal.value) and "xxx" not in str(refusal.value)


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=80))
def test_a_key_is_never_shown(value: str) -> None:
    """Neither by repr nor as text."""
    key = Key("Zq" + value + "Zq", "SOURCE")
    assert key.value not in repr(key) and key.value not in str(key) and "SOURCE" in str(key)


def test_a_key_file_that_can_t_be_read_is_told_by_its_variable(tmp_path: Path) -> None:
    """Missing, a folder, not text: with the variable's name and no path."""
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00k")
    for path in (tmp_path / "none", tmp_path, binary):
        with pytest.raises(ConfigError) as refusal:
            find_key(SPEC, "default", {f"{OURS}_FILE": str(path)})
        assert f"{OURS}_FILE" in str(refusal.value) and str(tmp_path) not in str(refusal.value)


@pytest.mark.parametrize("profile", ["default", "a", "team_2", "A-b-C", "x" * 32, "production-eu", "2026"])
def test_good_profiles(profile: str) -> None:
    """1 to 32 letters, digits, _ or -."""
    assert checked_profile(profile) is None


@pytest.mark.parametrize("profile", ["", "a b", "x" * 33, "ä", "a/b", "../x", "a.b", "a\n", " a"])
def test_bad_profiles_are_told_what_a_profile_is(profile: str) -> None:
    """They become part of a variable's and a file's name."""
    problem = checked_profile(profile)
    assert problem and "letters" in problem


@pytest.mark.parametrize(
    "key",
    [
        "sk-abcdef123456",
        "sk-proj-AbCd1234efgh5678",
        "AIzaSyA1234567890abcdefghijklmnopqrstuv",
        "r8_abcdefghijkl1234",
        "fal-1234567890abcdef",
        "rf_live_1234567890",
        "afk_1234567890ab",
        "hf_abcdefghijkl",
        "3f2a9c1e-aaaa-bbbb-cccc-1234567890ab:0123456789abcdef",
        "0123456789abcdef0123456789abcdef",
        "34f439ce-b545-4c57-a5bd-a3aabbccddee",
    ],
)
def test_a_key_in_the_profile_is_recognised_and_not_repeated(key: str) -> None:
    """It is in a workflow now: it has to be revoked, and the message must not spread it."""
    problem = checked_profile(key)
    assert problem and "revoke" in problem and key not in problem


V1, V2 = BUILT_IN["apiframe"], BUILT_IN["apiframe_v2"]
SHARED = "APIFRAME_API_KEY"


@pytest.mark.parametrize("text", ["afk_live_0123456789", " 'afk_live_0123456789' ", "Bearer afk_live_0123456789"])
def test_a_key_of_version_2_never_goes_to_version_1(text: str, tmp_path: Path) -> None:
    """From our variable, a file, the vendor's variable or the store: refused by name, and not repeated."""
    file = tmp_path / "key"
    file.write_text(text)
    ours = "NANO_BANANA_APIFRAME_API_KEY"
    for environ, kept in (
        ({ours: text}, None),
        ({f"{ours}_FILE": str(file)}, None),
        ({SHARED: text}, None),
        ({}, text),
    ):
        with pytest.raises(ConfigError, match="apiframe_v2") as refused:
            find_key(V1, "default", environ, lambda *_, kept=kept: kept)
        assert "0123456789" not in str(refused.value) and refused.value.charged == "no"
    with pytest.raises(ConfigError, match="apiframe_v2"):
        find_key(V1, "team", {"NANO_BANANA_APIFRAME_TEAM_API_KEY": text})
    with pytest.raises(ConfigError, match="apiframe_v2"):
        key_for(V1, text, "the field")


def test_the_vendor_s_variable_counts_for_the_version_that_its_key_is_of() -> None:
    """`APIFRAME_API_KEY` is the name in the SDKs of both; `auto` passes over the other one without a word."""
    for value, owner, other in (("afk_0123", V2, V1), ("d5a1c9-old-key", V1, V2)):
        environ = {SHARED: value}
        assert find_key(owner, "default", environ) == Key(value, SHARED)
        assert find_key(other, "default", environ, allow_shared=False) is None
        with pytest.raises(ConfigError, match=owner.id) as refused:
            find_key(other, "default", environ)
        assert value not in str(refused.value) and SHARED in str(refused.value)


def test_a_misplaced_key_does_not_hide_the_right_one() -> None:
    """In the store, or in a variable of the other version's own."""
    kept = find_key(V1, "default", {SHARED: "afk_0123"}, lambda *_: "stored-old-key")
    assert kept == Key("stored-old-key", "the key store")
    environ = {SHARED: "old-key", "APIFRAME_V2_API_KEY": "afk_0123"}
    assert find_key(V2, "default", environ) == Key("afk_0123", "APIFRAME_V2_API_KEY")
    assert find_key(V1, "default", environ) == Key("old-key", SHARED)


def test_what_the_user_says_is_a_key_of_version_2_is_one() -> None:
    """In our variable or the store it is sent whatever it begins with: the vendor may change how its keys look."""
    for environ, kept in (({"NANO_BANANA_APIFRAME_V2_API_KEY": "new-style"}, None), ({}, "new-style")):
        found = find_key(V2, "default", environ, lambda *_, kept=kept: kept)
        assert found is not None and found.value == "new-style"
