"""The key store: keys that were entered in Settings, in one file of the data folder that only its owner may read.

A key is stored with the origin that it was entered for, and is sent to no other. The routes write, the engine reads; no key is
ever shown.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import Timeout

from ..errors import ConfigError
from ..errors.messages import as_data, from_data, msg
from ..files import private_files
from ..files.edited_json import Damaged, read_object
from ..http.url_policy import origin
from ..providers.spec import ProviderSpec
from .sources import PROFILE, checked_profile, cleaned, key_for

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
    """Scheme, host and port of a URL as text. Raises ValueError for something that is no web address."""
    scheme, host, port = origin(url)
    return f"{scheme}://{host}:{port}"


class KeyStore:
    """`keys.json` of one data folder. It is read each time, because another process may have changed it."""

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
        found = self._section(self._read(), "keys", provider)
        # In a file edited by hand a key may be where the name of a profile should.
        return sorted((name for name in found if not checked_profile(name)), key=lambda name: (name != "default", name))

    def put(self, provider: str, profile: str, key: str, base_url: str, spec: ProviderSpec | None = None) -> None:
        """Keeps a key for the origin of `base_url`. `spec` says what its keys look like. Raises ConfigError."""
        if not PROFILE.fullmatch(profile):
            raise ConfigError(msg("store.profile_name_invalid"))
        where = msg("store.the_field")
        value = key_for(spec, key, where) if spec else cleaned(key, where)
        entry = {"key": value, "origin": origin_of(base_url), "added": self._clock()}

        def change(data: dict[str, Any]) -> None:
            data["keys"][provider] = {**self._section(data, "keys", provider), profile: entry}
            self._section(data, "tests", provider).pop(profile, None)

        self._change(change)

    def delete(self, provider: str, profile: str) -> bool:
        """Deletes a key; False when there was none. Raises ConfigError."""
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
        """The result of the last test of this key: {"at", "verdict", "text"}. Raises ConfigError."""
        entry = self._section(self._read(), "tests", provider).get(profile)
        if not isinstance(entry, dict) or isinstance(entry.get("at"), bool):
            return None
        kinds: dict[str, Any] = {"at": (int, float), "verdict": str, "text": str}
        good = all(isinstance(entry.get(name), kind) for name, kind in kinds.items())
        if not good:
            return None
        return {"at": entry["at"], "verdict": entry["verdict"], "text": from_data(entry.get("message"), entry["text"])}

    def record_test(self, provider: str, profile: str, verdict: str, text: str) -> None:
        """Stores the result of a test. Raises ConfigError."""
        entry = {"at": self._clock(), "verdict": verdict, "text": text, "message": as_data(text)}

        def change(data: dict[str, Any]) -> None:
            data["tests"][provider] = {**self._section(data, "tests", provider), profile: entry}

        self._change(change)

    def _section(self, data: dict[str, Any], name: str, provider: str) -> dict[str, Any]:
        found = data[name].get(provider)
        return found if isinstance(found, dict) else {}

    def _read(self) -> dict[str, Any]:
        try:
            data = read_object(self.file)
        except Damaged as error:
            raise ConfigError(
                msg("store.keys_unreadable", error=error, file=self.file.name),
                cure=msg("store.correct_or_delete_file"),
            ) from None
        for name in ("keys", "tests"):
            if not isinstance(data.get(name), dict):
                data[name] = {}
        return data

    def _change(self, change: Callable[[dict[str, Any]], None]) -> None:
        try:
            private_files.make_folder(self.file.parent)
            with private_files.lock(self.file.with_suffix(".lock"), _LOCK_SECONDS):
                data = self._read()
                change(data)
                data["version"] = VERSION
                private_files.write(self.file, json.dumps(data, indent=1).encode())
        except (OSError, Timeout) as error:
            why = getattr(error, "strerror", None) or msg("store.locked_by_process")
            raise ConfigError(
                msg("store.keys_not_writable", why=why),
                cure=msg("store.make_folder_writable"),
            ) from None
