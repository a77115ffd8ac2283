"""Reads a JSON file of the data folder that people edit by hand: keys.json, settings.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors.messages import msg
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
        raise Damaged(
            msg("edited_json.file_too_large", max_bytes=MAX_BYTES >> 20)
            if file.is_file()
            else msg("edited_json.not_a_file")
        ) from None
    except (FileNotFoundError, NotADirectoryError):
        if file.is_symlink():  # what it leads to may come back, with the caps that are in it
            raise Damaged(msg("edited_json.broken_link")) from None
        return {}
    except OSError as error:
        raise Damaged(error.strerror or type(error).__name__) from None
    except UnicodeDecodeError:
        raise Damaged(msg("edited_json.not_utf_8")) from None
    except json.JSONDecodeError as error:
        raise Damaged(
            msg("edited_json.not_json_from_line", lineno=error.lineno)
            if text.strip()
            else msg("edited_json.file_is_empty")
        ) from None
    except RecursionError:
        raise Damaged(msg("edited_json.nested_too_deeply")) from None
    except Damaged:
        raise
    except ValueError:  # a number of thousands of digits
        raise Damaged(msg("edited_json.number_too_long")) from None
    if not isinstance(found, dict):
        raise Damaged(msg("edited_json.not_a_json_object"))
    if _is_deep(found):
        raise Damaged(msg("edited_json.nested_too_deeply"))
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
