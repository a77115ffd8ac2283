"""Names of fields that hold a result image, however an API spells them, and of those that hold another one.

The exact names in `result_images` were seen at providers; these patterns take their spellings and their neighbours:
`img_url`, `downloadUrl`, `imageBytes` (Imagen), `result.sample` (BFL), `fail_reason` (New-API puts an address there).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

_ADDRESS = re.compile(
    r"(image|img|pic|picture|photo|output|result|generated|final|download|file|cdn|public|signed|media|asset|oss|s3|hd)*"
    r"(url|uri|link|src|href|path)s?"
)
_CONTENT = re.compile(
    r"(image|img|picture|photo|output|result|binary|file|data)*(base64|b64|bytes|data)(data|image|json|string)?s?"
)
_IMAGE = re.compile(r"(generated|output|final|result)(image|img|picture|photo)s?|img|sample|failreason")
_OTHER_ROLES = frozenset(
    {"thumbnail", "thumb", "preview", "partial", "input", "source", "reference", "mask", "original_input"}
)


def named_as_images(value: dict[str, Any], known: Collection[str]) -> Iterator[Any]:
    """The values of an object whose names say that they are images, but for `known` names: data before addresses."""
    plain = [
        (re.sub(r"[^a-z0-9]", "", name.lower()), item)
        for name, item in value.items()
        if len(name) <= 40 and name not in known
    ]
    for pattern in (_CONTENT, _IMAGE, _ADDRESS):
        yield from (item for name, item in plain if item and name != "data" and pattern.fullmatch(name))


def without_other_roles(items: list[Any]) -> list[Any]:
    """The items of a list but those that say to be a thumbnail, an input and the like; all where nothing else is left."""
    kept = [item for item in items if not has_other_role(item)]
    return kept or items


def has_other_role(item: Any) -> bool:
    roles = (item.get(name) for name in ("type", "role", "kind", "purpose")) if isinstance(item, dict) else ()
    return any(isinstance(role, str) and role.lower() in _OTHER_ROLES for role in roles)
