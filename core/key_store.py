"""Keys that were typed into the settings: one file in the data folder, readable by its owner alone.

A key is kept with the origin it was entered for and is given out with it, so that nobody sends it elsewhere. Keys come in
and are used; nothing here shows one. Used by the routes (to write) and by the engine (to read).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .addresses import origin
from .errors import ConfigError
from .keys import PROFILE, cleaned, key_for
from .providers.row import Provider

VERSION = 1
_LOCK_SECONDS = 10.0


@dataclass(frozen=True)
class StoredKey:
    """A key and what it is for. The key itself is never shown."""

    value: str = field(repr=False)
    origin: str
    """Scheme, host and port it was entered for, for example "https://api.example.com:443"."""

    def is_for(self, base_url: str) -> bool:
        try:
            return self.origin == origin_of(base_url)
        except ValueError:
            return False


def origin_of(url: str) -> str:
    """Scheme, host and port in one word. Raises ValueError for something that is no web address."""
    scheme, host, port = origin(url)
    return f"{scheme}://{host}:{port}"


class KeyStore:
    """`keys.json` of one data folder. Read anew each time: another process may have changed it."""

    def __init__(self, home: Path, clock: Callable[[], float] = time.time) -> None:
        self.file = home / "keys.json"
        self._clock = clock

    def get(self, provider: str, profile: str) -> StoredKey | None:
        """The key of a provider and profile, or None. Raises ConfigError when the file can't be read."""
        entry = self._section(self._read(), "keys", provider).get(profile)
        if not isinstance(entry, dict) or not isinstance(entry.get("key"), str):
            return None
        return StoredKey(entry["key"], str(entry.get("origin", "")))

    def profiles(self, provider: str) -> list[str]:
        """Names of the profiles that have a key. Raises ConfigError."""
        return sorted(self._section(self._read(), "keys", provider), key=lambda name: (name != "default", name))

    def put(self, provider: str, profile: str, key: str, base_url: str, row: Provider | None = None) -> None:
        """Keeps a key for the origin of `base_url`. `row` says what its keys look like. Raises ConfigError."""
        if not PROFILE.fullmatch(profile):
            raise ConfigError("A profile name has 1 to 32 letters, digits, _ or -", kind="config")
        value = key_for(row, key, "the field") if row else cleaned(key, "the field")
        entry = {"key": value, "origin": origin_of(base_url), "added": self._clock()}

        def change(data: dict[str, Any]) -> None:
            data["keys"][provider] = {**self._section(data, "keys", provider), profile: entry}
            self._section(data, "tests", provider).pop(profile, None)

        self._change(change)

    def delete(self, provider: str, profile: str) -> bool:
        """Forgets a key; False when there was none. Raises ConfigError."""
        if not self.file.exists():
            return False
        found = False

        def change(data: dict[str, Any]) -> None:
            nonlocal found
            found = self._section(data, "keys", provider).pop(profile, None) is not None
            self._section(data, "tests", provider).pop(profile, None)

        self._change(change)
        return found

    def tested(self, provider: str, profile: str) -> dict[str, Any] | None:
        """What the last test of this key said: {"at", "verdict", "text"}. Raises ConfigError."""
        entry = self._section(self._read(), "tests", provider).get(profile)
        return entry if isinstance(entry, dict) else None

    def note_test(self, provider: str, profile: str, verdict: str, text: str) -> None:
        """Writes down what a test said. Raises ConfigError."""
        entry = {"at": self._clock(), "verdict": verdict, "text": text}

        def change(data: dict[str, Any]) -> None:
            data["tests"][provider] = {**self._section(data, "tests", provider), profile: entry}

        self._change(change)

    # ------------------------------------------------------------------------------------------------ inside

    def _section(self, data: dict[str, Any], name: str, provider: str) -> dict[str, Any]:
        found = data[name].get(provider)
        return found if isinstance(found, dict) else {}

    def _read(self) -> dict[str, Any]:
        try:
            data = json.loads(self.file.read_text("utf-8"))
            if not isinstance(data, dict):
                raise ValueError("not an object")
        except FileNotFoundError:
            data = {}
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is damaged"
            raise ConfigError(
                f"The stored keys can't be read: {why} ({self.file.name} in the pack's data folder)",
                cure="Correct or delete that file and enter the keys again",
                kind="config",
            ) from None
        for name in ("keys", "tests"):
            if not isinstance(data.get(name), dict):
                data[name] = {}
        return data

    def _change(self, change: Callable[[dict[str, Any]], None]) -> None:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with FileLock(str(self.file.with_suffix(".lock")), timeout=_LOCK_SECONDS):
                data = self._read()
                change(data)
                data["version"] = VERSION
                write_privately(self.file, json.dumps(data, indent=1).encode())
        except (OSError, Timeout) as error:
            why = getattr(error, "strerror", None) or "another process holds it"
            raise ConfigError(
                f"The stored keys can't be written: {why}",
                cure="Make the pack's data folder writable, or use an environment variable",
                kind="config",
            ) from None


def write_privately(file: Path, data: bytes) -> None:
    """Replaces a file at once and completely; only its owner may read it. Raises OSError."""
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        # Made anew: what a dead process or somebody else left there may be open to others, or lead elsewhere.
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, file)
    except OSError:
        part.unlink(missing_ok=True)
        raise
