"""The faults that a request can be answered with, and which request gets which.

A fault is a few options, such as `status=429 retry_after=1 times=1`. They come with a prompt, as `[[sim: ...]]`, or are
added over the control routes or `Doubles.fault` for a provider and a piece of prompt. An unknown option is an
error, so that a mistyped test can't pass. Asked by `router.py` and `generation.py`; acts on nothing itself.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .edited import move_of

DIRECTIVE = re.compile(r"\[\[sim:(.*?)\]\]", re.DOTALL)
STATUSES = (400, 401, 402, 403, 404, 408, 409, 413, 429, 451, 500, 502, 503, 504)

FaultOptions = dict[str, Any]


class UnknownFault(ValueError):
    """An option, or its value, that is not known; the message names it."""


def _flag(value: str | None) -> bool:
    if value is not None:
        raise ValueError("takes no value")
    return True


def _seconds(value: str | None) -> float:
    seconds = float(value or "")
    if not 0 <= seconds <= 3600:
        raise ValueError("needs seconds from 0 to 3600")
    return seconds


def _whole(value: str | None) -> int:
    if value is None or not value.isdecimal():
        raise ValueError("needs a whole number")
    return int(value)


def _raw(value: str | None) -> str:
    if not value:
        raise ValueError("needs a value")
    return value


def _one_of(*allowed: str) -> Callable[[str | None], str]:
    def check(value: str | None) -> str:
        if value not in allowed:
            raise ValueError(f"needs one of {', '.join(allowed)}")
        return str(value)

    return check


def _status(value: str | None) -> int:
    return int(_one_of(*map(str, STATUSES))(value))


def _optional(default: str, check: Callable[[str | None], Any]) -> Callable[[str | None], Any]:
    return lambda value: check(default if value is None else value)


OPTIONS: dict[str, Callable[[str | None], Any]] = {
    # The answer to the paid request.
    "slow": _seconds,
    "hold": _flag,  # no answer until `Doubles.release`, or the end of the faults: for tests of what happens meanwhile
    "slow_body": _seconds,
    "status": _status,
    "retry_after": _raw,
    "paid": _flag,
    "refuse": _optional("", _one_of("", "200", "400", "403", "422", "451")),
    "reason": _raw,  # with refuse: the API's own word for why; Gemini's `block:...` when it didn't even begin
    "empty": _flag,
    "html": _flag,
    "pause": _flag,  # a stream's picture waits until `Doubles.release`; its drafts have gone by then
    "cut": _whole,  # a stream is cut in the middle of the event after so many
    "broken_json": _flag,
    "trailing": _flag,
    "bom": _flag,
    "drop": _one_of("connect", "upload", "headers", "body"),
    "reset": _optional("headers", _one_of("connect", "upload", "headers", "body")),
    "redirect": _raw,
    "gzip": _flag,
    "keepalive_close": _flag,
    "ratio_typo": _flag,
    "times": _whole,
    "after": _whole,  # so many matching requests go unharmed first: for an answer that follows another fault
    # What the answer holds.
    "sizes": _flag,
    "small": _flag,  # pictures of 64x64 whatever was asked: for tests that ask a thousand times and look at none
    "longest": _whole,  # pixels of the longer side at most, nearly in the ratio that was asked; 0: as it was asked
    "edited": move_of,  # the first reference itself, changed and moved: see edited.py
    "rgba": _flag,
    "gray": _flag,
    "drafts": _whole,  # where the model thinks: how many drafts come before the picture
    "fewer": _flag,
    "more": _flag,
    "as": _one_of("png", "jpeg", "webp"),
    "b64": _flag,
    "b64twice": _flag,
    "datauri": _flag,
    "url": _optional("", lambda value: value or ""),
    "shape": _one_of("data", "images", "image_urls", "outputs", "triple"),
    # Tasks and their polls.
    "task": _optional("done", _one_of("done", "fail", "hang", "unknown", "cancelled", "expired")),
    "flat_task": _flag,
    "steps": _whole,
    "poll_status": _status,
    "poll_times": _whole,
    "cancel": _one_of("late", "500", "drop"),
    # The upload of a reference (only over the control routes: an upload has no prompt).
    "upload_status": _status,
    # The result file.
    "truncate": _flag,
    "short": _flag,
    "type": _raw,
    "notimage": _flag,
    "huge": _whole,
    "file_status": _one_of("404", "403", "500", "503"),
    "file_slow": _seconds,
    "file_drop": _flag,
    "norange": _flag,
    "redirect_file": _raw,
}

FILE_OPTIONS = frozenset(
    {
        "truncate",
        "short",
        "type",
        "notimage",
        "huge",
        "file_status",
        "file_slow",
        "file_drop",
        "norange",
        "redirect_file",
    }
)
"""Options that act when a result file is fetched; there `times` counts the fetches of that file."""


def parse_fault(text: str) -> FaultOptions:
    """The options of one fault; raises UnknownFault naming the first that isn't known or whose value isn't."""
    options: FaultOptions = {}
    for piece in text.split():
        name, has_value, value = piece.partition("=")
        check = OPTIONS.get(name)
        if check is None:
            raise UnknownFault(f"unknown fault option '{name}'")
        try:
            options[name] = check(value if has_value else None)
        except ValueError as problem:
            raise UnknownFault(f"fault option '{name}' {problem}") from None
    if "reset" in options:
        options.setdefault("drop", options["reset"])
    return options


def split_prompt(prompt: str) -> tuple[str, str]:
    """(the prompt without its directives, the options of the directives as text)."""
    found = " ".join(piece.strip() for piece in DIRECTIVE.findall(prompt))
    return re.sub(r"[ \t]{2,}", " ", DIRECTIVE.sub("", prompt)).strip(), found


@dataclass
class Rule:
    """A fault for every matching request."""

    provider: str
    """Provider id, or `*`."""
    match: str
    """Piece of the prompt; empty matches everything."""
    options: FaultOptions
    used: int = 0
    """How many matching requests there were, those before it acts too."""

    def fits(self, provider: str, prompt: str) -> bool:
        """Whether it is meant for this request and not used up."""
        if self.provider not in ("*", provider) or self.match not in prompt:
            return False
        return "times" not in self.options or self.used < self.options["times"] + self.options.get("after", 0)

    def acts(self) -> bool:
        """Whether the requests that go unharmed first are over."""
        return bool(self.used >= self.options.get("after", 0))


class FaultRules:
    """Which fault a request gets; thread-safe. `times` of a directive counts per provider and prompt text.

    `always`: the options of requests for which no fault says otherwise; `clear` leaves them. Raises UnknownFault.
    """

    def __init__(self, always: str = "") -> None:
        self._always = parse_fault(always)
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._used: dict[tuple[str, str], int] = {}
        self.released = threading.Event()
        """Set when the answers that are held from now on are released."""

    def add(self, provider: str, match: str, fault: str) -> None:
        """Add a fault; raises UnknownFault."""
        options = parse_fault(fault)
        if not options:
            raise UnknownFault("the fault has no options")
        with self._lock:
            self._rules.append(Rule(provider, match, options))

    def clear(self) -> None:
        """Forget every fault and every count, and release held answers."""
        with self._lock:
            self._rules.clear()
            self._used.clear()
        self.release()

    def release(self) -> None:
        """Release every answer that is held now; later ones are held as before."""
        with self._lock:
            self.released.set()
            self.released = threading.Event()

    def look(self, provider: str, prompt: str) -> FaultOptions:
        """The options in force, without using any of them up. Raises UnknownFault for a wrong directive."""
        return self._collect(provider, prompt, use=False)

    def take(self, provider: str, prompt: str) -> FaultOptions:
        """The options in force; one use of each counted fault is gone. Raises UnknownFault for a wrong directive."""
        return self._collect(provider, prompt, use=True)

    def take_option(self, provider: str, name: str) -> Any:
        """The value of one option added for requests that have no prompt, such as uploads; None without it."""
        with self._lock:
            for rule in self._rules:
                if name in rule.options and rule.fits(provider, rule.match):
                    rule.used += 1
                    return rule.options[name]
        return None

    def _collect(self, provider: str, prompt: str, *, use: bool) -> FaultOptions:
        directive = parse_fault(split_prompt(prompt)[1])
        if "after" in directive:
            raise UnknownFault("fault option 'after' is for added faults only")
        options = dict(self._always)
        with self._lock:
            for rule in self._rules:
                # A rule for uploads only would otherwise be used up by the paid requests around them.
                if rule.fits(provider, prompt) and "upload_status" not in rule.options:
                    if rule.acts():
                        options.update(rule.options)
                    rule.used += use
            key = (provider, prompt)
            if directive and ("times" not in directive or self._used.get(key, 0) < directive["times"]):
                if use and "times" in directive:
                    self._used[key] = self._used.get(key, 0) + 1
                options.update(directive)
        return options
