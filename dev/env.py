"""The environment variables that child processes get: nothing secret, nothing of the pack's settings, no telemetry.

So demo, tests and benchmarks can't spend: every variable that could hold a key is dropped by its name. A host for a
person, pip and npm keep theirs.
"""

import os
from collections.abc import Mapping

PREFIX = "NANO_BANANA_"
SECRET_WORDS = ("KEY", "TOKEN", "SECRET", "CREDENTIAL", "PASSWORD")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
QUIET = {"PYTHONUNBUFFERED": "1", "DO_NOT_TRACK": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1"}
BYTE_CODE, BYTE_CODE_FOLDER = "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"
MISLEADING = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONWARNINGS")
MISLEADING_PIP = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_HASHES", "PYTHONPATH", "PYTHONHOME")


def dropped(name: str) -> bool:
    """Whether a variable of this name must not reach a demo or a test."""
    upper = name.upper()
    return upper.startswith(PREFIX) or any(word in upper for word in SECRET_WORDS)


def clean(environ: Mapping[str, str], extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """For demo, tests, benchmarks: without keys and the pack's settings, then the caller's own variables on top."""
    kept = {name: value for name, value in environ.items() if not dropped(name) and name not in MISLEADING}
    return personal(kept | dict(extra or {}))


def personal(environ: Mapping[str, str]) -> dict[str, str]:
    """For a host that a person uses: everything of theirs stays, and the loopback names are never behind a proxy.

    Byte code is written only where it has a folder of its own, "" is no. A host that compiles all it imports takes three
    times as long to start.
    """
    before = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    names = [name.strip() for name in before.split(",") if name.strip()]
    text = ",".join([*names, *(name for name in LOOPBACK if name not in names)])
    byte_code = {BYTE_CODE: "" if environ.get(BYTE_CODE_FOLDER) else "1"}
    return dict(environ) | QUIET | byte_code | {"NO_PROXY": text, "no_proxy": text}


def for_pip() -> dict[str, str]:
    """The person's own variables, which may carry index addresses and proxies, minus what misleads pip."""
    kept = {name: value for name, value in os.environ.items() if name not in MISLEADING_PIP}
    return kept | {"PIP_USER": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
