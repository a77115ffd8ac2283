"""The user's settings: the environment first, then `settings.json`, then the values of the provider's spec.

They are read for every run, so that a change takes effect at once. No key is among them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..errors.messages import message_of, msg
from ..files.edited_json import Damaged, read_object
from ..http.url_policy import checked_base_url
from ..providers.spec import ProviderSpec
from .caps import Caps

PREFIX = "NANO_BANANA_"
FILE = "settings.json"
MEND = msg("settings.correct_or_set_aside_file")


def damaged(why: str) -> str:
    """That the file can't be read, as the beginning of a sentence."""
    return msg("settings.file_unreadable", file=FILE, why=why)


def variable(provider_id: str, suffix: str) -> str:
    """The environment variable of a provider: NANO_BANANA_<ID>_<SUFFIX>."""
    name = "".join(c if c.isalnum() else "_" for c in provider_id).upper()
    return f"{PREFIX}{name}_{suffix}"


@dataclass(frozen=True)
class Settings:
    """The settings as they were read. A property raises ConfigError where its value is invalid."""

    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    stored: Mapping[str, Any] = field(default_factory=dict, repr=False)
    damage: str = ""
    """Why `settings.json` can't be read; "" where it can, or where there is none. Its caps are then unknown."""

    @classmethod
    def read(cls, home: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
        """The settings as they are now; a missing or broken file counts as empty."""
        stored: dict[str, Any] = {}
        damage = ""
        if home is not None:
            try:
                stored = read_object(home / FILE)
            except Damaged as error:
                damage = message_of(error)
        return cls(dict(os.environ if environ is None else environ), stored, damage)

    def text(self, name: str, default: str = "") -> str:
        """A setting as text; `name` in lower case, NANO_BANANA_<NAME> in the environment. Raises ConfigError."""
        value = self.environ.get(PREFIX + name.upper(), "").strip()
        stored = self.stored.get(name)
        if not value and isinstance(stored, (dict, list)):
            raise self._invalid(name, msg("settings.text_or_number"))
        return value or (default if stored is None or stored == "" else str(stored))

    @property
    def order(self) -> list[str]:
        """Provider ids in the order that `auto` tries them; those that aren't named follow."""
        listed = self.environ.get(PREFIX + "ORDER", "").strip() or self.stored.get("order") or ""
        names = listed if isinstance(listed, list) else str(listed).replace(";", ",").split(",")
        return [str(name).strip() for name in names if str(name).strip()]

    @property
    def substitutes(self) -> bool:
        """Whether a named provider without a key is run as `auto`."""
        return self._one_of("missing_provider", "fail", "substitute") == "substitute"

    @property
    def parallel(self) -> int:
        """The limit of concurrent requests per provider; 0 = that of the provider's spec."""
        text = self.text("parallel", "0")
        if not (text.isascii() and text.isdecimal() and len(text) < 5) or int(text) > 64:
            raise self._invalid("parallel", msg("settings.number_0_to_64"))
        return int(text)

    @property
    def caps(self) -> Caps:
        """Spending caps: $5 per run, $25 per day, none per month, unless the user says otherwise."""
        if self.damage:
            raise ConfigError(msg("settings.caps_unknown", damaged=damaged(self.damage)), cure=MEND)
        return Caps(self._cap("cap_run", "5"), self._cap("cap_day", "25"), self._cap("cap_month", "none"))

    @property
    def resends(self) -> bool:
        """Whether a picture that may have been paid for is requested again without asking the user."""
        return self._one_of("on_unknown", "ask", "resend") == "resend"

    @property
    def results_folder(self) -> Path | None:
        """Where results are kept; None = in the data folder, or in a bucket."""
        named = self.text("results")
        if named.startswith("s3://"):
            return None
        try:
            if "\0" in named or "://" in named:  # an address is no folder, and would become one with that name
                raise ValueError
            return Path(named).expanduser() if named else None
        except (ValueError, RuntimeError):  # ~nobody
            raise self._invalid("results", msg("settings.folder_path")) from None

    @property
    def results_bytes(self) -> int:
        """How large the results may grow."""
        text = self.text("results_gb", "20")
        try:
            size = float(text)
        except ValueError:
            size = -1.0
        if not 0 <= size <= 1_000_000:
            raise self._invalid("results_gb", msg("settings.gigabytes"))
        return int(size * 1_000_000_000)

    @property
    def on_network_drive(self) -> bool:
        """Whether a new journal may be a file on a network drive."""
        return self.environ.get(PREFIX + "NETWORK_DRIVE", "").strip().lower() in ("1", "true", "yes", "on")

    @property
    def project(self) -> str:
        """The project that the spending of this process is recorded under; "" = none."""
        return self.text("project")[:200]

    @property
    def proxy(self) -> str:
        """A proxy for everything the pack sends; "" = the machine's own settings."""
        return self.text("proxy")

    @property
    def ca_bundle(self) -> str:
        return self.text("ca_bundle")

    def address_source(self, spec: ProviderSpec) -> str:
        """Where a provider's address comes from: "environment", "settings" or "row", the built-in one (a word of clients)."""
        if self.environ.get(variable(spec.id, "BASE_URL"), "").strip():
            return "environment"
        stored = self.stored.get("base_urls")
        return "settings" if isinstance(stored, dict) and str(stored.get(spec.id) or "").strip() else "row"

    def base_url(self, spec: ProviderSpec) -> str:
        """The address of a provider. Raises ConfigError where there is none, or an invalid one."""
        name = variable(spec.id, "BASE_URL")
        http = self.environ.get(variable(spec.id, "PLAIN_HTTP"), "").strip().lower() in ("1", "true", "yes", "on")
        if self.environ.get(name, "").strip():
            return checked_base_url(self.environ[name], name, plain_http=http, known_paths=spec.paths)
        stored = self.stored.get("base_urls")
        if isinstance(stored, dict) and str(stored.get(spec.id) or "").strip():
            where = msg("settings.settings_of_provider", provider=spec.label)
            return checked_base_url(str(stored[spec.id]), where, plain_http=http, known_paths=spec.paths)
        if not spec.base_url:
            raise ConfigError(
                msg("settings.provider_needs_address", provider=spec.label),
                cure=msg("settings.where_to_put_address", name=name),
            )
        return spec.base_url

    def api_variant(self, spec: ProviderSpec) -> str:
        """Which way of asking to begin with; "" = what worked last, or the first of its spec."""
        name = variable(spec.id, "FORM")
        chosen = self.environ.get(name, "").strip().lower().replace("+", " ").replace(",", " ").split()
        if not chosen:
            return ""
        for variant in spec.api_variants:
            if set(variant.split()) == set(chosen):
                return variant
        if chosen == ["async"]:
            return next((variant for variant in spec.api_variants if "async" in variant.split()), "")
        raise self._invalid(
            name,
            f"one of: {', '.join(spec.api_variants)}" if spec.api_variants else msg("settings.nothing_one_form_only"),
        )

    def _cap(self, name: str, default: str) -> float | None:
        text = self.text(name, default).removeprefix("$").strip().lower()
        if text in ("none", "off", "no"):
            return None
        try:
            cap = -1.0 if "_" in text else float(text)  # 1_0 would be ten to Python
        except ValueError:
            cap = -1.0
        # A typing error must not lift a cap.
        if not 0 <= cap < 1_000_000:
            raise self._invalid(name, msg("settings.dollars_or_none"))
        return cap

    def _one_of(self, name: str, *values: str) -> str:
        found = self.text(name, values[0]).lower()
        if found not in values:
            raise self._invalid(name, " or ".join(values))
        return found

    def _invalid(self, name: str, wanted: str) -> ConfigError:
        shown = name if name.startswith(PREFIX) else PREFIX + name.upper()
        return ConfigError(
            msg("settings.setting_invalid", shown=shown), cure=msg("settings.expected_value", wanted=wanted)
        )
