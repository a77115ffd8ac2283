"""Base URLs as people paste them, and origins."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pack.core.errors import ConfigError
from pack.core.http.url_policy import checked_base_url, is_loopback, is_public, is_public_host_name, origin
from pack.core.providers import BUILT_IN
from pack.core.providers.spec import ProviderSpec


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://api.example.com", "https://api.example.com"),
        ("https://api.example.com/", "https://api.example.com"),
        ("https://api.example.com/v1", "https://api.example.com"),
        ("https://api.example.com/v1/", "https://api.example.com"),
        ("  'https://api.example.com/v1' ", "https://api.example.com"),
        ("HTTPS://API.Example.COM", "https://api.example.com"),
        ("https://api.example.com./", "https://api.example.com"),
        ("https://api.example.com:8443/prefix/", "https://api.example.com:8443/prefix"),
        ("https://api.example.com/prefix/v1", "https://api.example.com/prefix"),
        ("https://api.example.com/v1/images/generations", "https://api.example.com"),
        ("https://api.example.com/v1/images/edits/", "https://api.example.com"),
        ("https://api.example.com/v1/chat/completions", "https://api.example.com"),
        ("https://api.example.com/v1?x=1#y", "https://api.example.com"),
        ("http://127.0.0.1:8000/onerouter", "http://127.0.0.1:8000/onerouter"),
        ("http://localhost:3000/v1", "http://localhost:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("https://[2606:4700::1111]/v1", "https://[2606:4700::1111]"),
        ("https://api.example.com/v11", "https://api.example.com/v11"),
        ("https://api.example.com/apiv1", "https://api.example.com/apiv1"),
    ],
)
def test_pasted_addresses_become_a_base_url(text: str, url: str) -> None:
    """And doing it again changes nothing."""
    assert checked_base_url(text, "X") == url == checked_base_url(url, "X")


@pytest.mark.parametrize(
    ("provider", "text", "url"),
    [
        ("google", "https://h.example/v1beta/models/gemini-3-pro-image:generateContent", "https://h.example"),
        ("google", "https://h.example/x/v1beta/models/m:streamGenerateContent?alt=sse", "https://h.example/x"),
        ("google", "https://h.example/v1beta/openai/", "https://h.example"),
        ("google", "https://gateway.example/v1/account/gw/google", "https://gateway.example/v1/account/gw/google"),
        (
            "google",
            "https://gateway.example/v1/a/gw/google/v1beta/models/m:generateContent",
            "https://gateway.example/v1/a/gw/google",
        ),
        ("google", "GEMINI_BASE_URL=https://h.example/v1beta", "https://h.example"),
        ("google", 'base_url: "https://h.example/v1"', "https://h.example"),
        (
            "vertex",
            "https://h.example/v1/projects/p/locations/global/publishers/google/models/m:generateContent",
            "https://h.example",
        ),
        ("nanobanana", "https://h.example/v1/images/generations", "https://h.example"),
        ("nanobanana", "https://h.example/api/v1/chat/completions", "https://h.example/api"),
        ("onerouter", "https://h.example/v1/models", "https://h.example"),
        ("openrouter", "https://openrouter.ai/api/v1/chat/completions", "https://openrouter.ai/api"),
        ("openrouter", "https://openrouter.ai/api/v1/images", "https://openrouter.ai/api"),
        ("kie", "https://api.kie.ai/api/v1/jobs/createTask", "https://api.kie.ai"),
        ("kie", "https://api.kie.ai/api/v1", "https://api.kie.ai"),
        ("wavespeed", "https://api.wavespeed.ai/api/v3", "https://api.wavespeed.ai"),
        ("wavespeed", "https://api.wavespeed.ai/api/v3/google/nano-banana-pro/edit", "https://api.wavespeed.ai"),
        ("runflow", "https://api.runflow.io/v1/run/google/nano-banana-pro/edit", "https://api.runflow.io"),
        ("runflow", "https://api.runflow.io/v1/models/google/nano-banana-pro/runs", "https://api.runflow.io"),
        (
            "replicate",
            "https://api.replicate.com/v1/models/google/nano-banana/predictions",
            "https://api.replicate.com",
        ),
        ("fal", "https://queue.fal.run/fal-ai/nano-banana/edit", "https://queue.fal.run"),
        ("apiframe", "https://api.apiframe.pro/nano-banana-pro", "https://api.apiframe.pro"),
        ("apiframe_v2", "https://api.apiframe.ai/v2/images/generate", "https://api.apiframe.ai"),
    ],
)
def test_a_pasted_endpoint_becomes_the_base_url_of_its_provider(provider: str, text: str, url: str) -> None:
    """What a page on the API shows is what people paste; a prefix of a gateway stays."""
    paths = BUILT_IN[provider].paths
    assert checked_base_url(text, "X", known_paths=paths) == url == checked_base_url(url, "X", known_paths=paths)


@pytest.mark.parametrize("spec", BUILT_IN.values(), ids=lambda spec: spec.id)
def test_no_provider_s_own_address_loses_anything(spec: ProviderSpec) -> None:
    """And with the path of any of its requests behind it, it is found again."""
    base = spec.base_url or "https://h.example/prefix"
    assert checked_base_url(base, "X", known_paths=spec.paths) == base
    for path in spec.paths:
        pasted = base + path.replace("{model}", "google/some-model").replace("{project}", "p")
        assert checked_base_url(pasted, "X", known_paths=spec.paths) == base


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "api.example.com",
            "ftp://x.example",
            "file:///etc/passwd",
            "https://",
            "https:///v1",
            "//x.example",
            "nonsense",
        ),
        *(
            "http://api.example.com",
            "http://192.168.1.5:3000",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
        ),
        *("https://user:pass@api.example.com", "https://sk-abc@api.example.com", "javascript:alert(1)"),
        *("https://api.example.com:99999", "https://api.example.com:x", "https://[::1", "https://[nonsense]/"),
        *("https://exa mple.com", "https://api.example.com/a b", "https://exam\nple.com/\n"),
    ],
)
def test_what_is_no_safe_base_url_is_refused_by_its_place(text: str) -> None:
    """A sentence that names where it comes from, and never a key or password that is in it."""
    with pytest.raises(ConfigError) as refusal:
        checked_base_url(text, "THE_VARIABLE")
    assert (
        "THE_VARIABLE" in str(refusal.value)
        and "pass@" not in str(refusal.value)
        and "sk-abc" not in str(refusal.value)
    )


def test_plain_http_on_a_network_only_when_it_is_allowed() -> None:
    """And never makes another check weaker."""
    assert checked_base_url("http://192.168.1.5:3000/v1", "X", plain_http=True) == "http://192.168.1.5:3000"
    with pytest.raises(ConfigError):
        checked_base_url("http://user:pass@192.168.1.5", "X", plain_http=True)


@example(">?")
@example("a.example/,?b")
@given(st.text(st.characters(exclude_characters="'\""), max_size=60))  # quotes around an address are peeled off
def test_no_text_makes_it_crash(text: str) -> None:
    """A base URL or a ConfigError; what comes out goes in again unchanged and is safe."""
    for candidate in (text, "https://" + text, "http://127.0.0.1/" + text):
        try:
            url = checked_base_url(candidate, "X")
        except ConfigError:
            continue
        assert checked_base_url(url, "X") == url
        scheme, host, _ = origin(url)
        assert scheme == "https" or is_loopback(host)
        assert not any(character.isspace() for character in url)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://a.example", "https://a.example:443/x", True),
        ("http://a.example:80", "http://A.example./y?z", True),
        ("https://a.example", "http://a.example", False),
        ("https://a.example", "https://a.example:8443", False),
        ("https://a.example", "https://b.a.example", False),
        ("https://a.example", "https://a.example.evil.com", False),
        ("https://a.example", "https://a.example@evil.com/", False),
    ],
)
def test_origins(one: str, other: str, same: bool) -> None:
    """Scheme, host and port; what is before an @ is no host."""
    assert (origin(one) == origin(other)) == same


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("localhost", True), ("a.localhost", True), ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True)]
    + [("localhost.evil.com", False), ("127.0.0.1.nip.io", False), ("10.0.0.1", False), ("0.0.0.0", False)],
)
def test_loopback(host: str, loopback: bool) -> None:
    """Names that only look like it aren't."""
    assert is_loopback(host) == loopback


@pytest.mark.parametrize(
    "host", ["cdn.example.com", "1.1.1.1", "2606:4700::1111", "8.8.8.8.nip.io", "xn--bcher-kva.example", "0xyz.com"]
)
def test_public_hosts_may_be_named(host: str) -> None:
    """Names and literal public addresses."""
    assert is_public_host_name(host)


def test_nonsense_is_not_public() -> None:
    """Whatever a system may report as an address."""
    for text in ("", "nonsense", "127.0.0.1:80", "1.2.3", "::ffff:127.0.0.1"):
        assert not is_public(text)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("64:ff9b::8.8.8.8", True),
        ("64:ff9b::10.0.0.1", False),
        ("64:ff9b::127.0.0.1", False),
        ("64:ff9b::169.254.169.254", False),
        ("64:ff9b:1::8.8.8.8", True),
        ("64:ff9b:1::192.168.1.1", False),
        ("64:ff9b:1:abcd::10.0.0.1", False),
        ("64:ff9b:1:a00:0:100::", False),
        ("2002:808:808::1", True),
        ("2002:a00:1::1", False),
        ("::10.0.0.1", False),
        ("::ffff:0:10.0.0.1", False),
        ("fec0::1", False),
        ("2606:4700::1111", True),
    ],
)
def test_an_address_inside_another_counts(address: str, public: bool) -> None:
    """A gateway of the user's network leads such an IPv6 address to the IPv4 address that is in it."""
    assert is_public(address) == is_public_host_name(f"[{address}]") == public


@pytest.mark.parametrize("text", ["https://evil.example\\@api.example.com/x", "https://api.example.com\\.evil.example"])
def test_an_address_that_readers_understand_differently_is_none(text: str) -> None:
    """One reader would see the provider's host, the other one a stranger's."""
    with pytest.raises(ValueError):
        origin(text)


@pytest.mark.parametrize(
    "host", ["a.example;", ".", "a..example", "a%2eexample", "a b.example", "a.example,b", "[::1", "a\u3002example"]
)
def test_what_is_no_host_is_refused(host: str) -> None:
    """Also where the standard library would take it for one."""
    with pytest.raises(ConfigError):
        checked_base_url(f"https://{host}/x?y=z", "X")
    with pytest.raises(ValueError):
        origin(f"https://{host}/x")
