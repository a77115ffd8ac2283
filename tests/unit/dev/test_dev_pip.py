"""pip's failures in one sentence, read from its log. A stand-in plays pip."""

import sys
from pathlib import Path

import pytest
from pack.dev import env, environment
from pack.dev.environment import Environment, InstallFailed

FULL = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"
OFFLINE = (
    "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by "
    "'NewConnectionError: [Errno -3] Temporary failure in name resolution': /simple/torch/\n"
    "ERROR: Could not find a version that satisfies the requirement torch==2.13.0 (from versions: none)\n"
    "ERROR: No matching distribution found for torch==2.13.0"
)
NO_BUILD = (
    "ERROR: Could not find a version that satisfies the requirement torch==2.13.0 (from versions: 2.1)\n"
    "ERROR: No matching distribution found for torch==2.13.0"
)
CHANGED = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE."
PROXY = "WARNING: Retrying (Retry(total=4)) after connection broken by 'ProxyError': /x"
CERTIFICATE = "SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed'))"
READ_ONLY = "ERROR: Could not install packages due to an OSError: [Errno 30] Read-only file system: '/x'"

STAND_IN = """
import sys, pathlib
pathlib.Path({calls!r}).write_text("\\n".join(sys.argv[1:]))
pathlib.Path(sys.argv[sys.argv.index("--log") + 1]).write_text({logged!r})
raise SystemExit({code})
"""


def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: str, code: int = 1) -> Environment:
    """An environment whose `python -m pip` logs the text and ends with the code; its arguments are in `calls`."""
    package = tmp_path / "fake" / "pip"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    script = STAND_IN.format(calls=str(tmp_path / "calls"), logged=logged, code=code)
    (package / "__main__.py").write_text(script)
    variables = env.for_pip() | {"PYTHONPATH": str(package.parent)}
    monkeypatch.setattr(environment, "for_pip", lambda: variables)
    made = Environment(tmp_path / "cache" / "made", tmp_path / "cache")
    made.python = Path(sys.executable)
    return made


@pytest.mark.parametrize(
    ("logged", "cure"),
    [
        (FULL, "disk is full: make room"),
        (FULL + "\n" + OFFLINE, "disk is full"),
        (OFFLINE, "can't be reached: connect this machine"),
        (PROXY, "can't be reached"),
        (CERTIFICATE, "can't be reached"),
        (NO_BUILD, "no torch==2.13.0 for this Python"),
        (CHANGED, "isn't the pinned file"),
        (READ_ONLY, "NANO_BANANA_DEV_CACHE"),
        ("ERROR: something new", "something new"),
        ("", "it said nothing"),
    ],
)
def test_failures_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: str, cure: str) -> None:
    made = stand_in(tmp_path, monkeypatch, logged)
    with pytest.raises(InstallFailed) as caught:
        made.pip("install", "torch")
    text = str(caught.value)
    assert cure in text and "\n" not in text and "Traceback" not in text
    assert not made.mark.exists()


def test_a_failure_while_installing_is_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = stand_in(tmp_path, monkeypatch, "Installing collected packages: a, b\n" + FULL)
    with pytest.raises(InstallFailed):
        made.pip("install", "torch")
    assert made.mark.exists()


def test_a_lock_is_followed_to_the_letter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = stand_in(tmp_path, monkeypatch, "", code=0)
    made.install_locked("tools")
    assert not made.mark.exists()
    arguments = (tmp_path / "calls").read_text().splitlines()
    assert "--require-hashes" in arguments and "--no-deps" in arguments
    assert arguments[arguments.index("-r") + 1] == str(environment.REQUIREMENTS / "tools.txt")


def test_what_misleads_pip_is_kept_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in env.MISLEADING_PIP:
        monkeypatch.setenv(name, "elsewhere")
    monkeypatch.setenv("PIP_INDEX_URL", "theirs")
    variables = env.for_pip()
    assert not set(env.MISLEADING_PIP) & set(variables)
    assert variables["PIP_INDEX_URL"] == "theirs" and variables["PIP_USER"] == "0"
