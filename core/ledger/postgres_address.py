"""The address of a PostgreSQL server that keeps the journal: read from a setting, shown without its secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from ..errors import LedgerFailed
from ..errors.messages import msg

VARIABLE = "NANO_BANANA_JOURNAL"
EXAMPLE = "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
_DRIVERS = ("postgresql+psycopg", "postgresql", "postgres")
_SECRET = re.compile(r"(?i)password|secret|token")
_MAX_FILE_BYTES = 64 << 10


@dataclass(frozen=True)
class PostgresAddress:
    """Where the setting comes from, and what it says. Its repr has no secret."""

    source: str
    """The variable, or the file that one names."""
    text: str = field(repr=False)
    problem: str = ""
    """Why it could not be read; "" where it was."""

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> PostgresAddress | None:
        """The address that the environment names, directly or in a file; None where it names none. Raises nothing."""
        if text := environ.get(VARIABLE, "").strip():
            return cls(VARIABLE, text)
        file = environ.get(f"{VARIABLE}_FILE", "").strip()
        if not file:
            return None
        source = f"{VARIABLE}_FILE"
        try:
            with Path(file).expanduser().open("rb") as stream:
                text = stream.read(_MAX_FILE_BYTES).decode("utf-8").strip()
        except (OSError, ValueError, RuntimeError) as error:
            # The text of other errors may hold a part of the file.
            why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            return cls(source, "", msg("postgres_address.file_unreadable", source=source, why=why))
        return cls(source, text, "" if text else msg("postgres_address.file_empty", source=source))

    def url(self) -> URL:
        """For the driver psycopg. Raises LedgerFailed for what is no such address."""
        cure = msg("postgres_address.how_to_write", source=self.source, example=EXAMPLE)
        if self.problem:
            raise LedgerFailed(self.problem, cure=cure)
        try:
            url = make_url(self.text)
        except (SQLAlchemyError, ValueError):  # their texts may hold the address
            raise LedgerFailed(msg("postgres_address.not_an_address", source=self.source), cure=cure) from None
        if url.drivername not in _DRIVERS:
            what = msg("postgres_address.other_database", source=self.source)
            raise LedgerFailed(what, cure=cure)
        return url.set(drivername=_DRIVERS[0])

    @property
    def shown(self) -> str:
        """Host, port and database, for messages."""
        try:
            url = self.url()
        except LedgerFailed:
            return self.source
        hosts = url.query.get("host", ())
        host = url.host or (hosts if isinstance(hosts, str) else ",".join(hosts)) or "localhost"
        port = f":{url.port}" if url.port else ""
        return self.without_secrets(f"postgresql://{host}{port}/{url.database or ''}")

    def without_secrets(self, text: str) -> str:
        """`text` with a mark in the place of each secret of the address, however it is written there."""
        for secret in sorted(self._secrets(), key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def _secrets(self) -> set[str]:
        found = {self.text}
        try:
            url = make_url(self.text)
        except (SQLAlchemyError, ValueError):
            return found - {""}
        values = [str(url.password or "")]
        for name, value in url.query.items():
            if _SECRET.search(name):
                values += [value] if isinstance(value, str) else list(value)
        for value in values:
            found |= {value, quote(value, safe=""), quote_plus(value), quote(value)}
        return found - {""}
