"""Makes inputs: arbitrary JSON in the names that the dialects know, odd values, and mutations of bytes, text and JSON."""

from __future__ import annotations

import ast
import base64
import json
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from random import Random
from struct import pack
from typing import Any

import harness


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))


def tiny_png(width: int = 2, height: int = 2) -> bytes:
    """A complete grey PNG, made by hand: inputs must not depend on the version of a library."""
    specs = (b"\0" + b"\x80" * width) * height
    head = png_chunk(b"IHDR", pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + png_chunk(b"IDAT", zlib.compress(specs, 1)) + png_chunk(b"IEND", b"")


PNG = tiny_png()
PNG_64 = base64.b64encode(PNG).decode()


def words(dictionary: str, name: str) -> tuple[Any, ...]:
    """A list of a dictionary; `{"repeat": [text, times]}` stands for a long text."""
    file = Path(__file__).resolve().parent / "dictionaries" / f"{dictionary}.json"
    listed = json.loads(file.read_text("utf-8"))[name]
    return tuple(
        each["repeat"][0] * each["repeat"][1] if isinstance(each, dict) and "repeat" in each else each
        for each in listed
    )


def known_names(*folders: str) -> tuple[str, ...]:
    """Every word that the code of these folders has in quotes: fields, statuses, codes."""
    found: set[str] = set()
    for folder in folders:
        for file in sorted((Path(harness.ROOT) / folder).glob("*.py")):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                word = node.value if isinstance(node, ast.Constant) else None
                if isinstance(word, str) and re.fullmatch(r"[A-Za-z_$][\w.:-]{0,40}", word):
                    found.add(word)
    return tuple(sorted(found))


NAMES = known_names("core/dialects", "core/dialects/base", "core/dialects/parsing")
STATUSES = words("inputs", "statuses")
TEXTS = words("inputs", "texts")
PARSERS = tuple(
    sorted(
        file.relative_to(harness.ROOT).as_posix()
        for file in (harness.ROOT / "core" / "dialects" / "parsing").glob("*.py")
        if file.stem not in ("__init__", "error_codes")
    )
)
"""The files that read answers, whatever API they came through; `error_codes` is a table."""

NUMBERS: tuple[Any, ...] = (
    0,
    1,
    -1,
    2,
    5,
    100,
    200,
    400,
    404,
    429,
    500,
    2**31,
    2**63,
    -(2**64),
    10**400,
    0.0,
    -0.0,
    0.5,
)
NUMBERS += (1e-320, 1e308, -1e308, float("inf"), float("-inf"), float("nan"), True, False, None)


def text(rng: Random) -> str:
    """A text of a kind that has made trouble somewhere, or a random one."""
    draw = rng.random()
    if draw < 0.6:
        return rng.choice(TEXTS)
    if draw < 0.75:
        return rng.choice(NAMES)
    if draw < 0.85:
        return rng.choice(TEXTS) + rng.choice((" ", "\n", "", ".", "/")) + rng.choice(TEXTS)
    alphabet = rng.choice(
        ("abc019", "\"'<>()[]{}\\!", "\0\t\r\n \x7f\x85\u2028", "é中\ud83d\ude00\u202e", "=&?%#/:@.-_")
    )
    return "".join(rng.choice(alphabet) for _ in range(rng.randrange(12)))


def value(rng: Random, depth: int = 0) -> Any:
    """Arbitrary JSON whose objects mostly have names that the dialects know."""
    draw = rng.random()
    if depth > 4 or draw < 0.3:
        return text(rng)
    if draw < 0.45:
        return rng.choice(NUMBERS)
    if draw < 0.6:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {name(rng): value(rng, depth + 1) for _ in range(rng.randrange(5))}


def name(rng: Random) -> str:
    """A field's name."""
    return rng.choice(NAMES) if rng.random() < 0.93 else text(rng)


def mutated_value(tree: Any, rng: Random, lend: Any = None) -> Any:
    """`tree` with one place in it changed; `lend` is a tree that parts may come from."""
    draw = rng.random()
    if isinstance(tree, dict) and tree and draw < 0.75:
        key = rng.choice(list(tree))
        changed = dict(tree)
        draw = rng.random()
        if draw < 0.6:
            changed[key] = mutated_value(tree[key], rng, lend)
        elif draw < 0.7:
            del changed[key]
        elif draw < 0.8:
            changed[name(rng)] = changed.pop(key)
        else:
            changed[name(rng)] = tree[key] if rng.random() < 0.5 else value(rng, 3)
        return changed
    if isinstance(tree, list) and tree and draw < 0.75:
        index = rng.randrange(len(tree))
        draw = rng.random()
        if draw < 0.6:
            return [*tree[:index], mutated_value(tree[index], rng, lend), *tree[index + 1 :]]
        if draw < 0.75:
            return tree[:index] + tree[index + 1 :]
        return [*tree, tree[index]] if rng.random() < 0.8 else tree * rng.randrange(2, 30)
    draw = rng.random()
    if draw < 0.15 and lend is not None:
        return part_of(lend, rng)
    if draw < 0.25:
        return [tree]
    if draw < 0.35:
        return {name(rng): tree}
    if isinstance(tree, str) and draw < 0.6:
        return mutated_text(tree, rng)
    return value(rng, 2)


def part_of(tree: Any, rng: Random) -> Any:
    """Something out of a tree."""
    while isinstance(tree, (dict, list)) and tree and rng.random() < 0.7:
        tree = rng.choice(list(tree.values()) if isinstance(tree, dict) else tree)
    return tree


def mutated_text(source_text: str, rng: Random) -> str:
    """A text with a piece taken out, doubled, repeated or put in."""
    start = rng.randrange(len(source_text) + 1)
    end = min(len(source_text), start + rng.randrange(1, 40))
    draw = rng.random()
    if draw < 0.25:
        return source_text[:start] + source_text[end:]
    if draw < 0.5:
        return source_text[:start] + text(rng) + source_text[start:]
    if draw < 0.6:
        return source_text[:end] + source_text[start:end] * rng.choice((1, 2, 50)) + source_text[end:]
    if draw < 0.7:
        return source_text[start:end] * rng.randrange(1, 200)
    if draw < 0.8:
        return source_text[:start] + rng.choice(TEXTS) + source_text[end:]
    return "".join(chr(rng.randrange(0x250)) if rng.random() < 0.1 else letter for letter in source_text[:2000])


def mutated_bytes(data: bytes, rng: Random, others: Sequence[bytes] = (), longest: int = 65536) -> bytes:
    """Bytes with some of them changed, taken out, repeated, or exchanged for those of another input."""
    out = bytearray(data[:longest])
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        size = len(out)
        index = rng.randrange(size + 1)
        draw = rng.random()
        if draw < 0.35 and size:
            out[min(index, size - 1)] = rng.choice((rng.randrange(256), 0, 0xFF, 0x7F, 0x80))
        elif draw < 0.5:
            del out[index : index + rng.choice((1, 1, 4, 16, 256))]
        elif draw < 0.6:
            piece = bytes(out[index : index + rng.choice((1, 4, 16, 64))])
            out[index:index] = piece * rng.choice((1, 2, 100))
        elif draw < 0.75:
            out[index : index + 4] = rng.choice(
                (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\1\0\0", b"\x10\0\0\0")
            )
        elif draw < 0.85 and others:
            lent = rng.choice(others)
            start = rng.randrange(len(lent) + 1)
            out[index : index + rng.choice((0, 16, 4096))] = lent[start : start + rng.choice((8, 64, 4096))]
        elif draw < 0.93:
            out[index:index] = text(rng).encode("utf-8", "surrogatepass")
        else:
            out = out[:index]
    return bytes(out[:longest])


def dumped(tree: Any, rng: Random) -> bytes:
    """JSON as bytes, in one of the ways in which it is written."""
    draw = rng.random()
    if draw < 0.8:
        return json.dumps(tree).encode()
    if draw < 0.9:
        return json.dumps(tree, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass")
    return json.dumps(tree).encode(rng.choice(("utf-16", "utf-8-sig", "latin-1")))


def mutated_json(data: bytes, rng: Random, others: Sequence[bytes] = ()) -> bytes:
    """A JSON text changed as a tree, or as bytes where it is none."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return mutated_bytes(data, rng, others)
    if rng.random() < 0.12:
        return mutated_bytes(data, rng, others)
    lend = None
    lender = rng.choice(others) if others and rng.random() < 0.3 else b""
    if 0 < len(lender) < harness.LONG_SEED:
        try:
            lend = json.loads(lender)
        except (ValueError, RecursionError):
            lend = None
    return dumped(mutated_value(tree, rng, lend), rng)


def made_json(rng: Random) -> bytes:
    """Arbitrary JSON, seldom deep, seldom none."""
    draw = rng.random()
    if draw < 0.03:
        return rng.choice((b"[", b'{"a":', b'[{"error":')) * rng.choice((10, 300, 300, 3000))
    if draw < 0.08:
        return rng.randbytes(rng.randrange(60))
    return dumped(value(rng), rng)
