"""pip's output as a person sees it, and its failures in one sentence. A stand-in plays pip."""

import io
import sys
from pathlib import Path

import pytest
from pack.dev import pip
from pack.dev.pip import InstallFailed, Pip
from pack.dev.progress import Progress

Runner = tuple[Pip, io.StringIO]

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


def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: str, code: int = 1) -> Runner:
    """A Pip whose `python -m pip` prints the text and ends with the code; and what was shown."""
    package = tmp_path / "fake" / "pip"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(f"print({printed!r})\nraise SystemExit({code})\n")
    variables = pip.surroundings() | {"PYTHONPATH": str(package.parent)}
    monkeypatch.setattr(pip, "surroundings", lambda: variables)
    shown = io.StringIO()
    return Pip(Path(sys.executable), tmp_path / "cache", Progress(shown)), shown


@pytest.mark.parametrize(
    ("printed", "cure"),
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
    ],
)
def test_failures_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: str, cure: str) -> None:
    pip, _ = stand_in(tmp_path, monkeypatch, printed)
    with pytest.raises(InstallFailed) as caught:
        pip.install("torch")
    text = str(caught.value)
    assert cure in text and "\n" not in text and "Traceback" not in text
    assert not caught.value.touched


def test_a_failure_while_unpacking_is_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip, _ = stand_in(tmp_path, monkeypatch, "Installing collected packages: a, b\n" + FULL)
    with pytest.raises(InstallFailed) as caught:
        pip.install("torch")
    assert caught.value.touched


def test_a_line_per_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = [
        "Looking in indexes: https://someone:secret@example.invalid/simple",
        "Collecting torch==2.13.0",
        "  Downloading torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl.metadata (26 kB)",
        "  Downloading torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl (180.5 MB)",
        "Progress 1000000 of 180500000",
        "  Using cached sympy-1.14.0-py3-none-any.whl (6.3 MB)",
        "Processing /somewhere/mpmath-1.3.0-py3-none-any.whl (from sympy)",
        "Installing collected packages: mpmath, sympy, torch",
        "Successfully installed mpmath-1.3.0",
    ]
    pip, shown = stand_in(tmp_path, monkeypatch, "\n".join(said), code=0)
    pip.install("torch")
    assert shown.getvalue().splitlines() == [
        "    torch 2.13.0  180.5 MB",
        "    sympy 1.14.0  6.3 MB",
        "    mpmath 1.3.0",
        "    unpacking 3 packages",
    ]


def test_the_whole_output_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip, _ = stand_in(tmp_path, monkeypatch, "one\ntwo", code=0)
    pip.install("torch")
    assert (tmp_path / "cache" / "logs" / "pip.log").read_text().split() == ["one", "two"]


def test_surroundings_keep_the_index_and_drop_what_misleads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://example.invalid/simple")
    monkeypatch.setenv("PIP_TARGET", "/elsewhere")
    found = pip.surroundings()
    assert found["PIP_INDEX_URL"] == "https://example.invalid/simple" and "PIP_TARGET" not in found
