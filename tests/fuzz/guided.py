"""Runs one harness under atheris, which keeps inputs that reach new branches. Called by `dev.py fuzz --guided`.

The harness's own mutations and libFuzzer's take turns. A finding is written down and the run goes on.
"""

from __future__ import annotations

import argparse
import random
import sys
import traceback
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]


def main(arguments: list[str]) -> int:
    """Exit code 3 where atheris can't be used here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--harness", required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--packages", required=True, help="the folder that atheris was installed into")
    chosen = parser.parse_args(arguments)
    sys.path.append(chosen.packages)
    try:
        import atheris
    except ImportError as error:
        print(f"skipped: atheris can't be used with this Python ({error})")
        return 3
    import harness

    with atheris.instrument_imports(include=["pack.core", "pack.routes", "pack.simulator", "pack.nodes"]):
        from harnesses import HARNESSES

        each = next(each for each in HARNESSES if each.name == chosen.harness)
        each.prepare()
    seeds = list(each.seeds().values())
    found: set[str] = set()
    target = chosen.folder / each.name
    corpus = chosen.folder / "corpus" / each.name
    for folder in (target, corpus):
        folder.mkdir(parents=True, exist_ok=True)

    def one(data: bytes) -> None:
        try:
            each.check(data)
        except Exception as error:
            where = harness.place_of(error)
            if where not in found:
                found.add(where)
                finding = harness.Finding(where, data, traceback.format_exc(), 0)
                (target / f"{finding.name}.input").write_bytes(data)
                (target / f"{finding.name}.txt").write_text(f"{where}\n\n{finding.trace}", "utf-8", "backslashreplace")
                print(f"{each.name}: {where} (file {finding.name})", flush=True)

    def changed(data: bytes, most: int, seed: int) -> bytes:
        rng = random.Random(seed)
        draw = rng.random()
        if draw < 0.1:
            return each.make(rng)[:most]
        return each.mutate(data, rng, seeds)[:most] if draw < 0.6 else bytes(atheris.Mutate(data, most))

    options = [
        f"-max_total_time={int(chosen.minutes * 60)}",
        f"-seed={chosen.seed}",
        "-max_len=65536",
        "-print_final_stats=1",
    ]
    folders = [str(corpus), *([str(harness.SEEDS / each.name)] if seeds else [])]
    atheris.Setup([sys.argv[0], *options, *folders], one, custom_mutator=changed)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
