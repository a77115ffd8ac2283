"""Service accounts: what counts as one, where it may come from, and the real google-auth against the doubles."""

from __future__ import annotations

import base64
import importlib.util
import json
import pprint
import sys
import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from dialect_driver import request
from hypothesis import given
from hypothesis import strategies as st
from pack.core.config.settings import Settings
from pack.core.engine import Engine
from pack.core.errors import ConfigError, KeyRefused, NanoBananaError, NetworkError
from pack.core.execution.run import Run
from pack.core.keys import google_service_account
from pack.core.keys.account_document import parsed
from pack.core.keys.google_service_account import Tokens, document, project_of
from pack.core.keys.sources import find_key
from pack.core.planning.choice import ProviderChoice
from pack.core.planning.resolver import ProviderResolver
from pack.core.providers import BUILT_IN
from pack.tests.doubles.server import Doubles
from pack.tests.raw_server import Connection, serving

SPEC = BUILT_IN["vertex"]
OURS, LENT = "NANO_BANANA_VERTEX_API_KEY", "GOOGLE_APPLICATION_CREDENTIALS"
SECRET = "MIIEvSecretSecretSecret"
ACCOUNT = {
    "type": "service_account",
    "project_id": "my-project",
    "private_key_id": "0123",
    "private_key": f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n",
    "client_email": "painter@my-project.iam.gserviceaccount.com",
    "token_uri": "https://oauth2.googleapis.com/token",
}
HAS_GOOGLE_AUTH = importlib.util.find_spec("google") is not None and importlib.util.find_spec("google.auth") is not None
with_google_auth = pytest.mark.skipif(not HAS_GOOGLE_AUTH, reason="google-auth is not installed")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with google-auth, whether this one has it or not: for what doesn't sign anything."""
    monkeypatch.setattr(google_service_account, "_google_auth_installed", lambda: True)


def text(**changes: Any) -> str:
    """An account's document; None takes a field out."""
    return json.dumps({name: value for name, value in {**ACCOUNT, **changes}.items() if value is not None}, indent=2)


# ----------------------------------------------------------------------------------------------- the document


def test_a_document_is_kept_without_what_is_not_needed(installed: None) -> None:
    """Its project is the one of the address."""
    kept = document(text(), "X")
    assert set(json.loads(kept)) == {"type", "project_id", "private_key", "client_email", "token_uri"}
    assert document("\ufeff " + text() + "\n", "X") == kept and project_of(kept) == "my-project"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("{", "not the JSON document"),
        ("[]", "not the JSON document"),
        ("[" * 100_000, "not the JSON document"),
        (text(type="authorized_user"), "another kind"),
        (text(type=None), "another kind"),
        (text(private_key=None), "lacks private_key"),
        (text(client_email=" ", project_id=None), "lacks client_email, project_id"),
        (text(project_id="../x"), "project_id"),
        (text(project_id="a/b"), "project_id"),
        (text(token_uri="http://oauth2.googleapis.com/token"), "https"),
        (text(token_uri="file:///etc/passwd"), "https"),
        (text(token_uri="http://127.0.0.1.evil.example/token"), "https"),
    ],
)
def test_what_is_no_account_is_refused_without_being_repeated(given: str, words: str, installed: None) -> None:
    """By the place it is from, with what it lacks."""
    with pytest.raises(ConfigError) as refusal:
        document(given, "MY_PLACE")
    assert words in str(refusal.value) and "MY_PLACE" in str(refusal.value)
    assert SECRET not in str(refusal.value) and "evil" not in str(refusal.value)


def pasted() -> dict[str, str]:
    """One account as it is pasted."""
    plain, indented = json.dumps(ACCOUNT), text()
    packed = base64.b64encode(plain.encode()).decode()
    return {
        "private key escaped twice": plain.replace("\\n", "\\\\n"),
        "private key escaped three times": plain.replace("\\n", "\\\\\\\\n"),
        "real lines in the private key": plain.replace("\\n", "\n"),
        "private key on one line": plain.replace("\\n", " "),
        "lines between fields escaped": indented.replace("\\n", "\\\\n").replace("\n", "\\n"),
        "a string of JSON": json.dumps(plain),
        "escaped quotes": json.dumps(plain)[1:-1],
        "base64": packed,
        "base64 in lines": base64.encodebytes(indented.encode()).decode(),
        "base64 for addresses": base64.urlsafe_b64encode(plain.encode()).decode().rstrip("="),
        "base64 in quotes": f'"{packed}"',
        "single quotes": f"'{plain}'",
        "single quotes around lines": f"'{indented}'\n",
        "byte order mark": "\ufeff" + plain,
        "byte order mark in base64": base64.b64encode(("\ufeff" + plain).encode()).decode(),
        "Python": repr(ACCOUNT),
        "bent quotes": plain.replace('"', "\u201d"),
        "a comma too many": indented.rstrip("}").rstrip() + ",\n}",
        "a variable": f"GOOGLE_CREDENTIALS='{plain}'",
        "an exported variable": f"export GOOGLE_APPLICATION_CREDENTIALS_JSON={plain}",
        "a variable with base64": f"GCP_KEY={packed}",
        "carriage returns": indented.replace("\n", "\r\n"),
    }


@pytest.mark.parametrize("way", pasted())
def test_a_document_is_read_however_it_was_pasted(way: str, installed: None) -> None:
    """In a variable as in the field of Settings, and to the letter of the private key."""
    given = pasted()[way]
    kept = json.loads(document(given, "X"))
    assert kept == {name: ACCOUNT[name] for name in kept} and len(kept) == 5
    found = find_key(SPEC, "default", {OURS: given})
    assert found is not None and json.loads(found.value) == kept and found.project == "my-project"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (json.dumps(ACCOUNT)[:-40], "ends too early"),
        (text().replace('"project_id": "my-project",', '"project_id": "my-project"'), "stops being JSON at character"),
        ("AIza" + "Q" * 35, "API key"),
        (text(private_key=SECRET), "private_key that is not whole"),
        (base64.b64encode(text(client_email=None).encode()).decode(), "lacks client_email"),
    ],
)
def test_a_damaged_document_is_told_by_what_is_wrong_with_it(given: str, words: str, installed: None) -> None:
    """Never as a file whose name is too long."""
    with pytest.raises(ConfigError, match=words) as refusal:
        find_key(SPEC, "default", {OURS: given})
    assert SECRET not in str(refusal.value) and "AIza" not in str(refusal.value)


@pytest.mark.parametrize("name", ["my_service_account.json", "private_key.json"])
def test_a_path_that_sounds_like_a_document_is_a_path(name: str, installed: None, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text(), encoding="utf-8")
    found = find_key(SPEC, "default", {OURS: str(tmp_path / name)})
    assert found is not None and found.project == "my-project"


def test_without_google_auth_the_message_has_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the very Python that runs."""
    monkeypatch.setattr(google_service_account, "_google_auth_installed", lambda: False)
    with pytest.raises(ConfigError) as refusal:
        document(text(), "X")
    assert f'"{sys.executable}" -m pip install google-auth' in str(refusal.value)


# ------------------------------------------------------------------------------------------------ its places


def test_a_variable_holds_the_document_or_its_path(installed: None, tmp_path: Path) -> None:
    """Ours in both ways, its file, Google's own path, the store; with the project each time."""
    file = tmp_path / "account.json"
    file.write_text(text(), encoding="utf-8")
    places: list[tuple[dict[str, str], Any, str]] = [
        ({OURS: text()}, None, OURS),
        ({OURS: f' "{file}" '}, None, OURS),
        ({f"{OURS}_FILE": str(file)}, None, f"{OURS}_FILE"),
        ({}, lambda *place: text(), "the key store"),
        ({LENT: str(file)}, None, LENT),
    ]
    for environ, store, source in places:
        key = find_key(SPEC, "default", environ, store)
        assert key is not None and (key.source, key.project) == (source, "my-project")
        assert SECRET in key.value and SECRET not in repr(key) and SECRET not in str(key)


def test_a_path_that_leads_nowhere_is_told_by_its_variable(installed: None, tmp_path: Path) -> None:
    """Without the path."""
    with pytest.raises(ConfigError) as refusal:
        find_key(SPEC, "default", {LENT: str(tmp_path / "gone.json")})
    assert LENT in str(refusal.value) and str(tmp_path) not in str(refusal.value)


def test_what_is_there_for_other_software_is_used_by_name_only(installed: None) -> None:
    """`auto` must not spend on an account that was set up for something else, nor stumble over it."""
    environ = {LENT: text(), "GOOGLE_API_KEY": "key-of-maps-1", "RUNFLOW_API_KEY": "key-runflow-1"}
    resolver = ProviderResolver(Settings(environ))
    assert resolver.with_keys() == ["runflow"]
    for broken in (environ, {**environ, LENT: "/nowhere/at/all"}):
        plan = ProviderResolver(Settings(broken)).plan(None, [request()])
        assert [target.spec.id for target, _ in plan.targets] == ["runflow"]
    for name in ("vertex", "google"):
        (target, _), *_ = resolver.plan(ProviderChoice(name), [request()]).targets
        assert target.key and target.key.source in (LENT, "GOOGLE_API_KEY")
    assert find_key(SPEC, "team", environ) is None, "another profile's key never falls back on it"


def test_our_own_variable_counts_for_auto(installed: None) -> None:
    """It was put there for this pack."""
    plan = ProviderResolver(Settings({OURS: text(), "RUNFLOW_API_KEY": "key-runflow-1"})).plan(None, [request()])
    assert plan.targets[0][0].spec.id == "vertex"


# ------------------------------------------------------------------------------------------------- the tokens


@pytest.fixture(scope="module")
def signing_key() -> str:
    """A real private key, of this run alone."""
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
    pem: bytes = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem.decode()


@pytest.fixture
def account(doubles: Doubles, signing_key: str) -> str:
    """An account whose tokens come from the doubles."""
    doubles.reset()
    return text(private_key=signing_key, token_uri=doubles.base_url("vertex") + "/token", project_id="sim-project")


def tokens_given(doubles: Doubles) -> int:
    return sum(call["kind"] == "token" and call["outcome"] == 200 for call in doubles.request_log()["free"])


def make(tmp_path: Path, doubles: Doubles, account: str, *requests: Any, model: str = "recommended") -> Run:
    environ = {OURS: account, "NANO_BANANA_VERTEX_BASE_URL": doubles.base_url("vertex")}
    engine = Engine(tmp_path, environ=environ)
    run = engine.run(requests, engine.plan(ProviderChoice("vertex", model), requests))
    assert run.done.wait(30), "the run didn't end"
    return run


@with_google_auth
def test_a_run_pays_with_a_token_that_was_had_once(doubles: Doubles, account: str, tmp_path: Path) -> None:
    """Four requests at a time, one token; the project is in the address and no key anywhere."""
    wanted = [replace(request(prompt=f"fox {n} [[sim: small]]"), frame=n) for n in range(4)]
    run = make(tmp_path, doubles, account, *wanted)
    assert all(result.result for result in run.tasks), [str(result.error) for result in run.tasks]
    book = doubles.request_log(provider="vertex")
    assert tokens_given(doubles) == 1 and book["paid_images"] == 4
    assert all("/projects/sim-project/locations/global/" in entry["route"] for entry in book["requests"])
    assert {entry["headers"]["authorization"] for entry in book["requests"]} == {"bearer sim-…"}


@with_google_auth
@pytest.mark.parametrize(
    "paste",
    [
        lambda plain: plain.replace("\\n", "\\\\n"),
        lambda plain: base64.b64encode(plain.encode()).decode(),
        lambda plain: repr(json.loads(plain)),
        lambda plain: json.dumps(json.loads(plain)).replace("\\n", " "),
    ],
    ids=["escaped twice", "base64", "Python", "one line"],
)
def test_a_document_as_it_is_pasted_signs_and_pays(paste: Any, doubles: Doubles, account: str, tmp_path: Path) -> None:
    """The private key is whole again: google-auth signs with it, and the picture comes."""
    run = make(tmp_path, doubles, paste(account), request(prompt="fox [[sim: small]]"))
    assert run.tasks[0].result, str(run.tasks[0].error)


@with_google_auth
def test_a_token_is_used_until_shortly_before_its_end(doubles: Doubles, account: str) -> None:
    """Then another is asked for; and at once after it was refused."""
    tokens = Tokens()
    kept = document(account, OURS)

    def token() -> str:
        return tokens.token(kept, OURS, SPEC.label)

    first = token()
    assert token() == first and tokens_given(doubles) == 1
    (credentials,) = tokens._credentials.values()
    credentials.expiry -= timedelta(minutes=58)
    second = token()
    assert second != first and tokens_given(doubles) == 2
    tokens.forget(kept)
    assert token() != second and tokens_given(doubles) == 3


@with_google_auth
def test_many_at_once_ask_for_one_token(doubles: Doubles, account: str) -> None:
    tokens, kept = Tokens(), document(account, OURS)
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(tokens.token(kept, OURS, SPEC.label)), daemon=True)
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == 8 and len(set(found)) == 1 and tokens_given(doubles) == 1


@with_google_auth
def test_an_account_that_is_gone_ends_the_run_for_nothing(doubles: Doubles, account: str, tmp_path: Path) -> None:
    """The key's fault, in Google's words; nothing was sent, nothing stays doubtful."""
    gone = json.dumps({**json.loads(account), "client_email": "disabled@my-project.iam.gserviceaccount.com"})
    run = make(tmp_path, doubles, gone, request(prompt="gone"))
    (error,) = [result.error for result in run.report.failed]
    assert isinstance(error, KeyRefused) and (error.kind, error.charged) == ("key", "no")
    assert "account not found" in str(error) and OURS in str(error)
    assert not doubles.request_log("gone")["requests"]
    again = make(tmp_path, doubles, account, request(prompt="gone [[sim: small]]"))
    assert again.tasks[0].result, str(again.tasks[0].error)


def refusal_at(url: str, signing_key: str) -> NanoBananaError:
    """What a token from this address ends with."""
    kept = document(text(private_key=signing_key, token_uri=url), OURS)
    with pytest.raises(NanoBananaError) as refusal:
        Tokens().token(kept, OURS, SPEC.label)
    assert refusal.value.charged == "no" and "BEGIN" not in str(refusal.value)
    return refusal.value


@with_google_auth
def test_a_token_address_that_fails_is_told_as_what_it_is(signing_key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Away, moved, broken, or no token address at all: never a bad key, and never another address."""
    monkeypatch.setattr(google_service_account.backoff, "delay", lambda attempt, jitter: 0.0)
    monkeypatch.setattr("google.auth._exponential_backoff.time.sleep", lambda seconds: None)
    with serving(lambda connection: connection.reset()) as away:
        assert isinstance(refusal_at(away.url + "/token", signing_key), NetworkError)
        assert away.connection_count == google_service_account.TRIES
    with serving(
        lambda connection: connection.serve(b'{"error":"internal_failure"}', "503 Service Unavailable")
    ) as busy:
        error = refusal_at(busy.url + "/token", signing_key)
        assert error.kind == "busy" and "internal_failure" in str(error)

    seen: list[Connection] = []
    with serving(lambda connection: connection.serve(b"{}")) as elsewhere:

        def move(connection: Connection) -> None:
            seen.append(connection)
            connection.serve(b"", "307 Temporary Redirect", f"Location: {elsewhere.url}/token")

        with serving(move) as moved:
            assert refusal_at(moved.url + "/token", signing_key).kind == "unreadable"
        assert seen and elsewhere.connection_count == 0
    with serving(lambda connection: connection.serve(b"<html>sign in</html>")) as page:
        assert refusal_at(page.url + "/token", signing_key).kind == "unreadable"


@with_google_auth
def test_a_private_key_that_is_none_is_told_without_it() -> None:
    """Whatever its parser says."""
    with pytest.raises(ConfigError) as refusal:
        Tokens().token(document(text(), OURS), OURS, SPEC.label)
    assert "private_key" in str(refusal.value) and SECRET not in str(refusal.value)


@with_google_auth
def test_those_who_waited_for_a_token_in_vain_do_not_wait_again(
    signing_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token address that never answers costs its time once, not once for each picture; whoever comes later tries again."""
    monkeypatch.setattr(google_service_account, "TOKEN_SECONDS", 0.5)
    with serving(lambda connection: connection.read_rest()) as silent:
        kept, tokens = document(text(private_key=signing_key, token_uri=silent.url + "/token"), OURS), Tokens()
        failed: list[NanoBananaError] = []

        def ask() -> None:
            try:
                tokens.token(kept, OURS, SPEC.label)
            except NanoBananaError as error:
                failed.append(error)

        threads = [threading.Thread(target=ask, daemon=True) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert [(error.kind, error.charged) for error in failed] == [("network", "no")] * 6
        assert len({id(error) for error in failed}) == 6 and silent.connection_count == 1
        ask()
        assert len(failed) == 7 and silent.connection_count == 2


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "text",
    ["{'private_key': '\\d'}", "{1or 2: 0}", "{1 is 2}", "{'a': b'\\q'}", "{'a': 1+1}", "{'a\0'}", "{}()", "{'a': '\\"],
)
def test_what_is_no_document_prints_no_warning(text: str) -> None:
    """Python's own reader of such texts would."""
    assert isinstance(parsed(text), (str, dict))


@given(st.dictionaries(st.text(max_size=9), st.text(max_size=30) | st.none() | st.booleans() | st.integers(-9, 10**9)))
def test_a_dictionary_as_python_writes_it_is_read(value: dict[str, Any]) -> None:
    """Whatever characters its texts have; also over several lines, with a comma at the end, with strings side by side."""
    value = {"type": "service_account", **value}
    for text in (repr(value), f"{repr(value)[:-1]},\n }}", pprint.pformat(value, width=20)):
        found = parsed(text)
        assert isinstance(found, dict)
        found.pop("private_key", None)  # it is put on lines of its own
        assert found == {name: each for name, each in value.items() if name != "private_key"}


@pytest.mark.long
@pytest.mark.parametrize("unit", ["'\\", "\\'", "'\"", ", ", "' ", '"\\', "' '", "{'a':", "True"])
def test_twice_the_text_takes_twice_the_time(unit: str) -> None:
    """Quotes and backslashes that never end lead nowhere twice."""

    def seconds(count: int) -> float:
        text = "{" + unit * (count // len(unit))
        began = time.thread_time()
        parsed(text)
        return time.thread_time() - began

    assert seconds(62_000) < max(0.25, 4 * seconds(31_000))
