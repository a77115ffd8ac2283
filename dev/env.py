"""The environment variables that child processes get: nothing secret, nothing of the pack's settings, no telemetry.

So demo, tests and benchmarks can't spend: every variable that could hold a key is dropped by its name. A host for a
person keeps theirs. Called by everything here that starts a process other than pip.
"""

from collections.abc import Mapping

PREFIX = "NANO_BANANA_"
SECRET_WORDS = ("KEY", "TOKEN", "SECRET", "CREDENTIAL", "PASSWORD")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
QUIET = {
    "PYTHONUNBUFFERED": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
}
BYTE_CODE, BYTE_CODE_FOLDER = "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"
MISLEADING = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONWARNINGS")


def dropped(name: str) -> bool:
    """Whether a variable of this name must not reach a demo or a test."""
    upper = name.upper()
    return upper.startswith(PREFIX) or any(word in upper for word in SECRET_WORDS)


def direct_loopback(environ: Mapping[str, str]) -> dict[str, str]:
    """NO_PROXY in both spellings, with the loopback names added to what was there."""
    before = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    names = [name.strip() for name in before.split(",") if name.strip()]
    text = ",".join([*names, *(name for name in LOOPBACK if name not in names)])
    return {"NO_PROXY": text, "no_proxy": text}


def out_of_tree_byte_code(environ: Mapping[str, str]) -> dict[str, str]:
    """Whether byte code is written: only where it has a folder of its own, "" is no. A host that compiles all it imports
    takes three times as long to start."""
    return {BYTE_CODE: "" if environ.get(BYTE_CODE_FOLDER) else "1"}


def clean(environ: Mapping[str, str], extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """For demo, tests, benchmarks: without keys and the pack's settings, then the caller's own variables on top."""
    kept = {name: value for name, value in environ.items() if not dropped(name) and name not in MISLEADING}
    return kept | QUIET | out_of_tree_byte_code(kept) | direct_loopback(kept) | dict(extra or {})


def personal(environ: Mapping[str, str], extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """For a host that a person uses: everything of theirs stays."""
    return dict(environ) | QUIET | out_of_tree_byte_code(environ) | direct_loopback(environ) | dict(extra or {})
