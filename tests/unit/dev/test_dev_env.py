"""What reaches a demo's or a test's processes: no key, no setting of the pack, loopback never through a proxy."""

from collections.abc import Callable

import pytest
from pack.dev.env import clean, dropped, personal


@pytest.mark.parametrize(
    "name",
    [
        "NANO_BANANA_ONEROUTER_API_KEY",
        "NANO_BANANA_CAP_RUN",
        "nano_banana_home",
        "GEMINI_API_KEY",
        "FAL_KEY",
        "REPLICATE_API_TOKEN",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "aws_secret_access_key",
        "DB_PASSWORD",
    ],
)
def test_dropped(name: str) -> None:
    assert dropped(name)
    assert name not in clean({name: "x"})


@pytest.mark.parametrize("name", ["PATH", "HOME", "LANG", "HTTPS_PROXY", "SSL_CERT_FILE", "SYSTEMROOT", "TMPDIR"])
def test_kept(name: str) -> None:
    assert clean({name: "x"})[name] == "x"


def test_the_callers_variables_win() -> None:
    found = clean({"NANO_BANANA_HOME": "mine", "PATH": "p"}, {"NANO_BANANA_HOME": "temporary", "X_API_KEY": "sim-x"})
    assert found["NANO_BANANA_HOME"] == "temporary" and found["X_API_KEY"] == "sim-x"


def test_loopback_is_never_proxied() -> None:
    found = clean({"NO_PROXY": "corp.example, localhost"})
    assert found["NO_PROXY"] == found["no_proxy"] == "corp.example,localhost,127.0.0.1,::1"


def test_no_byte_code_and_no_telemetry() -> None:
    found = clean({"PYTHONPATH": "/x"})
    assert found["PYTHONDONTWRITEBYTECODE"] == "1" and found["DO_NOT_TRACK"] == "1" and "PYTHONPATH" not in found


@pytest.mark.parametrize("made", [clean, personal])
def test_byte_code_that_has_a_folder_of_its_own_is_written(made: Callable[..., dict[str, str]]) -> None:
    """Python takes an empty value for none. Without it every host compiles again what it imports."""
    assert made({"PYTHONPYCACHEPREFIX": "/cache", "PYTHONDONTWRITEBYTECODE": "1"})["PYTHONDONTWRITEBYTECODE"] == ""
    assert made({"PYTHONPYCACHEPREFIX": ""})["PYTHONDONTWRITEBYTECODE"] == "1"


def test_a_persons_own_host_keeps_their_keys() -> None:
    found = personal({"GEMINI_API_KEY": "k", "NANO_BANANA_HOME": "h"})
    assert found["GEMINI_API_KEY"] == "k" and found["NANO_BANANA_HOME"] == "h"
