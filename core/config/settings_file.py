"""Writes `settings.json`. A value that could not be read back is refused. Used by the routes.

No key is written. Values that only the environment may set (folders, proxy, certificates) are refused, because a web page
must not change them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import Timeout

from ..errors import ConfigError
from ..errors.messages import message_of, msg
from ..files import private_files
from ..files.edited_json import Damaged, read_object
from ..http.url_policy import checked_base_url
from .settings import FILE, MEND, PREFIX, Settings, damaged

WRITABLE: dict[str, Callable[[Settings], Any]] = {
    "order": lambda settings: settings.order,
    "missing_provider": lambda settings: settings.substitutes,
    "on_unknown": lambda settings: settings.resends,
    "cap_run": lambda settings: settings.caps,
    "cap_day": lambda settings: settings.caps,
    "cap_month": lambda settings: settings.caps,
    "results_gb": lambda settings: settings.results_bytes,
    "parallel": lambda settings: settings.parallel,
}
"""The settings that a page may change, and the property that has to be readable afterwards."""
DEFAULTS: dict[str, Any] = {
    "order": [],
    "missing_provider": "fail",
    "on_unknown": "ask",
    "cap_run": "5",
    "cap_day": "25",
    "cap_month": "none",
    "results_gb": "20",
    "parallel": "0",
}
_LOCK_SECONDS = 10.0


def shown(settings: Settings) -> dict[str, dict[str, Any]]:
    """Every setting a page may show: {"value", "source", "variable"}; source is environment, settings or default."""
    found: dict[str, dict[str, Any]] = {}
    value: Any
    for name, default in DEFAULTS.items():
        variable = PREFIX + name.upper()
        if settings.environ.get(variable, "").strip():
            source, value = "environment", settings.environ[variable].strip()
        elif settings.stored.get(name) not in (None, "", []):
            source, value = "settings", settings.stored[name]
        else:
            source, value = "default", default
        if name == "order":
            value = settings.order
        found[name] = {"value": value if name == "order" else str(value), "source": source, "variable": variable}
    for name in ("proxy", "ca_bundle", "results"):
        set_here = bool(settings.environ.get(PREFIX + name.upper(), "").strip() or settings.stored.get(name))
        found[name] = {"set": set_here, "variable": PREFIX + name.upper()}
    return found


def change(home: Path, changes: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Changes settings; None takes one back to its default. `known`: the providers by id. Raises ConfigError."""
    for name in changes:
        if name not in WRITABLE:
            raise ConfigError(
                msg("settings_file.setting_not_changeable", name=str(name)[:40]),
                cure=msg("settings_file.allowed_values", writable=", ".join(WRITABLE)),
            )
    cleaned = {name: _plain(name, value, known) for name, value in changes.items()}
    for name, value in cleaned.items():
        WRITABLE[name](Settings({}, {name: value} if value is not None else {}))

    def apply(stored: dict[str, Any]) -> None:
        for name, value in cleaned.items():
            if value is None:
                stored.pop(name, None)
            else:
                stored[name] = value

    rewrite(home, apply)


def set_base_url(home: Path, provider: str, url: str | None, known_paths: Sequence[str] = ()) -> None:
    """Sets the address of a provider; None restores its own. `known_paths`: the paths of its requests. Raises ConfigError."""
    address = checked_base_url(url, msg("settings_file.the_field"), known_paths=known_paths) if url else None

    def apply(stored: dict[str, Any]) -> None:
        urls = stored.get("base_urls")
        urls = dict(urls) if isinstance(urls, dict) else {}
        if address:
            urls[provider] = address
        else:
            urls.pop(provider, None)
        stored["base_urls"] = urls

    rewrite(home, apply)


def rewrite(home: Path, apply: Callable[[dict[str, Any]], None]) -> None:
    """Reads `settings.json`, applies a change and replaces it; entries of other versions stay.

    Raises ConfigError, also where the file can't be read: it may hold caps, which a new one would not.
    """
    with _locked(home):
        try:
            stored = read_object(home / FILE)
        except Damaged as error:
            raise ConfigError(
                msg("settings_file.damaged_nothing_changed", damaged=damaged(message_of(error))), cure=MEND
            ) from None
        apply(stored)
        # A lone surrogate becomes the escape that JSON has for it.
        text = json.dumps(stored, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace")
        private_files.write(home / FILE, text)


def set_aside(home: Path) -> str:
    """Renames a `settings.json` that can't be read, so that everything is at its default again; gives its new name.

    "" where it can be read. Raises ConfigError.
    """
    with _locked(home):
        try:
            read_object(home / FILE)
            return ""
        except Damaged:
            name, number = f"{FILE}.damaged", 0
            while (home / name).exists():
                number += 1
                name = f"{FILE}.damaged.{number}"
            (home / FILE).rename(home / name)
            return name


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Lets one writer in at a time. Raises ConfigError, also for errors of the file system."""
    try:
        private_files.make_folder(home)
        with private_files.lock(home / "settings.lock", _LOCK_SECONDS):
            yield
    except (OSError, Timeout) as error:
        why = getattr(error, "strerror", None) or msg("settings_file.locked_by_process")
        raise ConfigError(
            msg("settings_file.settings_not_writable", why=why),
            cure=msg("settings_file.make_folder_writable"),
        ) from None


def _plain(name: str, value: Any, known: Mapping[str, Any]) -> Any:
    """A value as it is stored: text, or a list of provider ids. Raises ConfigError."""
    if value is None:
        return None
    if name == "order":
        if not isinstance(value, list) or any(not isinstance(each, str) or each not in known for each in value):
            raise ConfigError(
                msg("settings_file.order_must_be_ids"),
                cure=msg("settings_file.known_providers", providers=", ".join(known)),
            )
        return list(dict.fromkeys(value))
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ConfigError(msg("settings_file.setting_must_be_simple", name=name))
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(msg("settings_file.setting_not_a_number", name=name))
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # some browsers' 4 is 4.0
    return str(value).strip()[:200]
