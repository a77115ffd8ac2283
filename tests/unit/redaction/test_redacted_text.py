"""Nothing secret and no picture in any text that leaves the process."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pack.core.redaction.text import MAX_MESSAGE, public_url, redact

ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
tails = st.text(ALPHABET, min_size=24, max_size=60)
PREFIXES = [
    "sk-",
    "sk-proj-",
    "rf_",
    "rf_live_",
    "afk_",
    "r8_",
    "fal-",
    "key-",
    "pk_",
    "ghp_",
    "hf_",
    "sim-",
    "AIza",
    "AIza-",
]
FRAMES = [
    "Incorrect API key provided: {}. You can find your key at https://example.com.",
    "invalid key '{}'",
    'bad header Authorization: "Bearer {}"',
    "token={}",
    '{{"error": "key {} is revoked"}}',
    "<p>{}</p>",
    "{}",
    "x\n{}\ny",
    "https://api.example.com/v1?key={}&x=1",
    "({})",
]


@given(st.sampled_from(PREFIXES), tails, st.sampled_from(FRAMES))
def test_no_key_of_a_known_shape_comes_through(prefix: str, tail: str, frame: str) -> None:
    """In any sentence."""
    shown = redact(frame.format(prefix + tail))
    assert prefix + tail not in shown and tail[4:] not in shown


@given(st.uuids(), st.text("0123456789abcdef", min_size=32, max_size=32), st.sampled_from(FRAMES))
def test_no_pair_of_id_and_secret_comes_through(name: object, secret: str, frame: str) -> None:
    """As fal's keys are."""
    assert secret not in redact(frame.format(f"{name}:{secret}"))


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer {}",
        "authorization={}",
        "x-goog-api-key: {}",
        "api_key={}",
        "api-key: '{}'",
        'the header "Authorization: Key {}" is wrong',
        "token {} expired",
        "secret: {}",
        '{{"api_key": "{}"}}',
        "{{'token':'{}'}}",
        '{{"Authorization":"Bearer {}"}}',
    ],
)
@pytest.mark.parametrize(
    "key", ["Zq81k4jq0d9f7s6a5", "34f439ce-b545-4c57-a5bd-a3aabbccddee", "0a1b2c3d4e5f60718293a4b5c6d7e8f9"]
)
def test_a_key_of_no_known_shape_is_known_by_the_word_before_it(text: str, key: str) -> None:
    """Plain hex, UUIDs and random letters, after the usual words and in JSON."""
    assert key not in redact(text.format(key))


@pytest.mark.parametrize(
    "text",
    [
        "The API key is missing",
        "token limit exceeded",
        "Your key expired yesterday.",
        "aspect_ratio must be one of auto, 21:9",
        "Request blocked by the safety system (IMAGE_SAFETY)",
        "model google/nano-banana-2-text-to-image does not exist",
        "task 34f439ce-b545-4c57 failed",
        "It said: bearer authentication required",
    ],
)
def test_plain_words_stay(text: str) -> None:
    """A message that hides its own reason helps nobody."""
    assert redact(text) == text


def test_pictures_and_long_base64_go() -> None:
    """Data URIs at once, bare base64 from some length on."""
    shown = redact("see data:image/png;base64," + "iVBORw0KGgo" * 5000 + " and " + "QUJD" * 100 + "==")
    assert len(shown) < 60 and "iVBOR" not in shown and "QUJDQUJD" not in shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.example/p/x.png?sig=abc&Expires=1#frag", "https://a.example/p/x.png"),
        ("https://user:pass@a.example:8443/x", "https://a.example:8443/x"),
        ("http://[::1]:80/x?y", "http://[::1]:80/x"),
        ("https://a.example", "https://a.example"),
        ("https://a.example:99999/", "(unreadable address)"),
        ("https://[::1/x", "(unreadable address)"),
    ],
)
def test_an_address_loses_what_may_be_secret(url: str, shown: str) -> None:
    """Query, fragment, user and password."""
    assert public_url(url) == shown
    assert redact(f"at {url} now") == f"at {shown} now"


@given(st.text(max_size=2000), st.integers(20, 400))
def test_any_text_becomes_one_short_line(text: str, limit: int) -> None:
    """No line breaks, no control characters, no more than the limit; doing it again changes nothing."""
    shown = redact(text, limit)
    assert len(shown) <= limit and shown.isprintable() and shown == shown.strip()
    assert redact(shown, limit) == shown


def test_megabytes_are_fast_and_cut() -> None:
    """A provider may answer with anything."""
    assert len(redact("key " * 2_000_000)) <= MAX_MESSAGE
    assert len(redact("a" * 5_000_000)) <= MAX_MESSAGE
