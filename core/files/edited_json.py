"""Reads a JSON file of the data folder that people edit by hand: keys.json, settings.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .regular_files import NotReadable, read_regular

MAX_BYTES = 4 << 20
MAX_DEPTH = 50
"""So deep may lists and objects be nested: beyond it Python can't walk through them safely."""


class Damaged(ValueError):
    """The file is there and can't be used; the text says why, in a few words."""


def read_object(file: Path) -> dict[str, Any]:
    """The object in a file, {} where there is no file. Raises Damaged."""
    try:
        text = read_regular(file, MAX_BYTES).decode("utf-8-sig")  # Windows' editors begin a file with a byte order mark
        found = json.loads(text)
    except NotReadable:
        raise Damaged(f"it is larger than {MAX_BYTES >> 20} MB" if file.is_file() else "it is no file") from None
    except (FileNotFoundError, NotADirectoryError):
        if file.is_symlink():  # what it leads to may come back, with the caps that stand in it
            raise Damaged("it is a link to a file that is not there") from None
        return {}
    except OSError as error:
        raise Damaged(error.strerror or type(error).__name__) from None
    except UnicodeDecodeError:
        raise Damaged("it is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise Damaged(f"it is not JSON from line {error.lineno} on" if text.strip() else "it is empty") from None
    except RecursionError:
        raise Damaged("it is nested too deeply") from None
    except Damaged:
        raise
    except ValueError:  # a number of thousands of digits
        raise Damaged("a number in it is too long") from None
    if not isinstance(found, dict):
        raise Damaged("it is not a JSON object")
    if _is_deep(found):
        raise Damaged("it is nested too deeply")
    return found


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for each in level
            for child in (each.values() if isinstance(each, dict) else each)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return False
    return True
