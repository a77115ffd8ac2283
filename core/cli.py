"""The commands of `ledger.py`: list, export, recover, forget, reindex, move, upload and spend.

They print tables, or CSV.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .engine import Engine
from .errors import NanoBananaError
from .execution import charge
from .ledger.history import GROUPS, History, HistoryEntry
from .ledger.journal import Journal
from .ledger.move import move
from .ledger.upload import upload

_AGE = re.compile(r"(\d+)([hdwm])")
_SECONDS = {"h": 3600, "d": 86400, "w": 7 * 86400, "m": 30 * 86400}


def main(arguments: Sequence[str], pack: Path) -> int:
    """Runs one command; gives the exit code: 0 = success, 1 = failure, 2 = wrong usage. `pack`: the pack's folder."""
    options = _parser().parse_args(arguments)
    home = _home(options.home, pack)
    if home is None:
        print("ledger: where is the pack's data folder? Name it with --home or NANO_BANANA_HOME.", file=sys.stderr)
        return 2
    if not home.is_dir():
        print(f"ledger: there is nothing in {home} yet.", file=sys.stderr)
        return 1
    try:
        engine = Engine(home)
        code: int = options.run(engine, History(engine.ledger), options)
        engine.ledger.results.store.close()
        for notice in engine.ledger.take_notices():
            print(f"ledger: {notice}.", file=sys.stderr)
        return code
    except NanoBananaError as error:
        print(f"ledger: {error.what} {error.cure}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"ledger: {error}", file=sys.stderr)
        return 1


def _list(engine: Engine, history: History, options: argparse.Namespace) -> int:
    entries = history.pictures(
        options.query, states=options.state or (), since=_since(options.since), limit=options.limit
    )
    table = [
        {
            "id": entry.uid[:12],
            "when": time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.created)),
            "state": entry.state,
            "provider": entry.provider,
            "model": entry.model,
            "usd": f"{entry.usd:.4f}",
            "prompt": _shorten(entry.prompt),
            "note": _shorten(entry.reason or (f"task {entry.task}" if entry.task and not entry.file else "")),
        }
        for entry in entries
    ]
    _print_table(table, options.csv)
    return 0


def _export(engine: Engine, history: History, options: argparse.Namespace) -> int:
    entries = (
        _select(history, options.id) if options.id else history.pictures(limit=1_000_000, since=_since(options.since))
    )
    count = history.export(Path(options.folder), entries)
    print(f"{count} pictures were copied to {options.folder}")
    return 0


def _recover(engine: Engine, history: History, options: argparse.Namespace) -> int:
    recovery = engine.recover(however_old=True)
    if not recovery.wait(options.wait):
        print("Not everything has come back yet; run it again to go on.")
        return 1
    print(recovery.result.text or "There was nothing to recover.")
    return 1 if recovery.result.failed else 0


def _forget(engine: Engine, history: History, options: argparse.Namespace) -> int:
    if options.id:
        count = history.forget([entry.uid for entry in _select(history, options.id)])
    elif options.older_than:
        count = history.forget(before=time.time() - _seconds(options.older_than))
    else:
        count = history.forget()
    print(f"{count} pictures were forgotten; what they cost stays in the sums")
    return 0


def _reindex(engine: Engine, history: History, options: argparse.Namespace) -> int:
    print(f"{history.reindex()} pictures are described in the results' folder, and the journal knows them")
    return 0


def _move(engine: Engine, history: History, options: argparse.Namespace) -> int:
    target, results = engine.ledger.database, engine.ledger.results
    if not target.is_shared:
        print("ledger: name the server that the journal is moved to in NANO_BANANA_JOURNAL.", file=sys.stderr)
        return 2
    count, file = move(
        Journal(engine.home, results.folder, decide_stalled=charge.decide_stalled_row, on_network=True), target
    )
    print(f"{count} pictures were moved to the server; the file is kept as {file.name}")
    print(f"The results stay in {results.store.place}: all machines need that place, by NANO_BANANA_RESULTS")
    return 0


def _upload(engine: Engine, history: History, options: argparse.Namespace) -> int:
    results = engine.ledger.results
    if results.store.incoming_is_shared:
        print("ledger: name the bucket that the results are copied to in NANO_BANANA_RESULTS.", file=sys.stderr)
        return 2
    count, folder = upload(Path(options.folder) if options.folder else engine.home / "results", results)
    history.reindex()
    print(f"{count} pictures were copied to {results.store.place}; the folder is kept as {folder}")
    return 0


def _spend(engine: Engine, history: History, options: argparse.Namespace) -> int:
    sums = history.spend(options.by, _since(options.since))
    table = [{**row, "usd": f"{row['usd']:.4f}", "usd_in_doubt": f"{row['usd_in_doubt']:.4f}"} for row in sums]
    _print_table(table, options.csv)
    if not options.csv:
        print(f"in all ${sum(row['usd'] for row in sums):.4f}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ledger", description="What Nano Banana (your key) has asked for, what became of it and what it cost."
    )
    parser.add_argument("--home", help="the pack's data folder (else NANO_BANANA_HOME, else this ComfyUI's)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Any, description: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=description, description=description)
        command.set_defaults(run=run)
        return command

    lists = add("list", _list, "pictures, the newest first")
    lists.add_argument("query", nargs="?", default="", help="words of the prompt, a provider or a model")
    lists.add_argument("--state", action="append", help="only this state: stored, unknown, accepted, ...")
    lists.add_argument("--since", type=_age_argument, help="an age like 12h, 7d, 4w")
    lists.add_argument("--limit", type=int, default=50)
    lists.add_argument("--csv", action="store_true")
    exports = add("export", _export, "copies pictures with their facts into a folder")
    exports.add_argument("folder")
    exports.add_argument("--id", action="append", help="only these; the beginning of an id is enough")
    exports.add_argument("--since", type=_age_argument)
    recover = add("recover", _recover, "fetches what is paid and can still be had for nothing")
    recover.add_argument("--wait", type=float, default=300.0, help="seconds")
    forget = add("forget", _forget, "deletes pictures, prompts and graphs; the sums of money stay")
    selection = forget.add_mutually_exclusive_group(required=True)
    selection.add_argument("--older-than", type=_age_argument, help="an age like 12h, 30d, 8w")
    selection.add_argument("--id", action="append")
    selection.add_argument("--all", action="store_true")
    add("reindex", _reindex, "brings the journal up to what is in the results' folder")
    add("move", _move, "moves the journal of this data folder to the server that NANO_BANANA_JOURNAL names")
    uploads = add("upload", _upload, "copies a folder of results to the bucket that NANO_BANANA_RESULTS names")
    uploads.add_argument("folder", nargs="?", default="", help="else results in the data folder")
    spend = add("spend", _spend, "what was spent")
    spend.add_argument("--by", type=_groups_argument, default=["day"], help=f"one or more of {','.join(GROUPS)}")
    spend.add_argument("--since", type=_age_argument)
    spend.add_argument("--csv", action="store_true")
    return parser


def _home(named: str | None, pack: Path) -> Path | None:
    chosen = named or os.environ.get("NANO_BANANA_HOME", "").strip()
    if chosen:
        try:
            return Path(chosen).expanduser()
        except RuntimeError:  # ~nobody
            return Path(chosen)
    if pack.parent.name == "custom_nodes":
        return pack.parent.parent / "user" / "__nano_banana"
    return None


def _select(history: History, ids: Sequence[str]) -> list[HistoryEntry]:
    known = history.pictures(limit=1_000_000)
    return [entry for entry in known if any(entry.uid.startswith(each) for each in ids if len(each) >= 4)]


def _print_table(table: Sequence[dict[str, Any]], as_csv: bool) -> None:
    if as_csv:
        if table:
            writer = csv.DictWriter(sys.stdout, list(table[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(table)
        return
    if not table:
        print("nothing")
        return
    names = list(table[0])
    widths = {name: max(len(name), *(len(str(row[name])) for row in table)) for name in names}
    for row in [dict(zip(names, names, strict=True)), *table]:
        print("  ".join(str(row[name]).ljust(widths[name]) for name in names).rstrip())


def _shorten(text: str, length: int = 48) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"


def _age_argument(text: str) -> str:
    if not _AGE.fullmatch(text):
        raise argparse.ArgumentTypeError("an age is a number and h, d, w or m: 12h, 7d")
    return text


def _seconds(age: str) -> float:
    number, unit = _AGE.fullmatch(age).groups()  # type: ignore[union-attr]  # `_age_argument` has checked it
    return float(number) * _SECONDS[unit]


def _since(age: str | None) -> float:
    return time.time() - _seconds(age) if age else 0.0


def _groups_argument(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or any(name not in GROUPS for name in names):
        raise argparse.ArgumentTypeError(f"choose from {', '.join(GROUPS)}")
    return names
