"""What the refusal of a request says about the variant that it was sent in: pure reading, no decision about money.

No provider documents these words. The patterns know those of Go's and Python's base64 decoders (New-API gateways are
written in Go), pydantic's errors about URLs, multer's about form fields, and the reports that the dialects name. After a
refusal that isn't recognised no other variant is sent: it is shown as it is.
"""

from __future__ import annotations

import re
from typing import Any

from ...errors import ProviderFailure
from ...http.status import allows_other_variant
from ..base.step import Reply
from .error_message import message_and_codes
from .error_phrases import takes_addresses_only
from .reading import NotJson, read_json

_LONGEST = 65_536
"""Bytes of an error that is looked into for the variant that it is about."""
_ENCODING = re.compile(r"(?i)base64|\bb64\b|\bdata[: ]?ur[il]s?\b|\bdata:|incorrect padding|illegal (base|character)")
_BODY = re.compile(
    r"(?i)multipart|form[- ]?data|content[- ]?type|numeric literal|invalid json|(pars|decod)\w{0,3} .{0,20}(json|body)"
    r"|json.{0,20}(pars|decod|body|expected|required)"
)
_FIELD = re.compile(
    r"(?i)(unexpected|unknown) (form[- ]?)?(field|file|part)|too many (files|images|parts|values)|duplicate|repeated"
    r"|limit_unexpected_file|limit_file_count|\barrays?\b|单张|一张图|多张"
    r"|(single|one|1|multiple|several|array of|list of) \W?(image|file|picture|reference)"
    r"|\bimages?\b(\[\d*\])?\W{1,3}((field|file|parameter|param)\W{1,3})?"
    r"(is|are|must|should|has|needs|expected|unexpected|required|missing|not|cannot|can't|does|invalid|unsupported)\b"
    r"|\bimages?\W{1,3}(field|parameter|param)\b|(field|parameter|param|part)\W{1,4}images?\b"
    r"|(missing|no|required|requires?) (an? |the )?\W?images?\b"
)
_COUNT = re.compile(
    r"(?i)(number|count|amount) of (input )?(images|files|references|pictures)|(images|files) (count|limit)|图片数量"
    r"|max(imum)? (number|count)\b|max(imum)? (of )?\d+ (image|file)|at most (\d+|one) (image|file)"
)
_ABOUT_THE_PICTURE = re.compile(
    r"(?i)too (large|big|small)|exceed|\bsize\b|\bmb\b|megabyte|pixel|dimension|resolution|corrupt|decod\w* (the )?image"
    r"|image.{0,20}\bdecod|format|\bprompt\b"
)
_MODEL = re.compile(
    r"(?i)\bmodel[_ ](not[_ ](found|exist)|does[_ ]not[_ ]exist|invalid|unavailable)"
    r"|(unknown|invalid|unsupported|no such) model"
    r"|\bmodels?\b.{0,120}(not found|n[o']t exist|not (available|supported|valid)\b|unavailable|is unknown)|not a valid model"
    r"|invalid (value|parameter)\W.{0,10}model\b"
)


def is_refusal(failure: ProviderFailure) -> bool:
    """Whether `failure` is about how the request was put and surely cost nothing: not about content, key or credit."""
    return allows_other_variant(failure.status) and failure.kind in ("invalid", "model")


def wants_addresses(reply: Reply, failure: ProviderFailure) -> bool:
    """Whether a base says that references have to be http(s) addresses, after a request that carried them inside."""
    return (
        is_refusal(failure)
        and failure.status not in (404, 405)
        and takes_addresses_only(message_without_prompt(reply, failure))
    )


def wants_other_encoding(reply: Reply, failure: ProviderFailure) -> bool:
    """Whether a base doesn't read references as they were spelled: as data URIs, or as base64 alone."""
    about = _ENCODING.search(message_without_prompt(reply, failure)) is not None
    return is_refusal(failure) and failure.status not in (404, 405) and about


def wants_other_body(reply: Reply, failure: ProviderFailure, field: str) -> bool:
    """Whether a base doesn't take the references in such a body, or not under `field`, the field that carried them."""
    message = message_without_prompt(reply, failure)
    if not is_refusal(failure):
        return False
    if failure.status in (404, 405, 415) or _BODY.search(message) or _COUNT.search(message):
        return True
    if _ABOUT_THE_PICTURE.search(message):
        return False
    return _FIELD.search(re.sub(rf"\b{re.escape(field)}\b", "image", message)) is not None or names_field(reply, field)


def names_model(reply: Reply, failure: ProviderFailure) -> bool:
    """Whether a base says that it doesn't have the model that was asked for; a 404 of an address alone doesn't."""
    value = _value(reply)
    message, codes = message_and_codes(value)
    return is_refusal(failure) and (_MODEL.search(f"{codes} {message}") is not None or named_fields(value) == ["model"])


def names_field(reply: Reply, field: str) -> bool:
    """Whether an error names `field`, and no other one, in a place of its own."""
    return named_fields(_value(reply)) == [field]


# ------------------------------------------------------------------------------------------- refusals that name nothing

_NAMES = ("param", "parameter", "field", "property", "path", "loc", "pointer")
_BY_NAME = ("errors", "details", "fields", "fieldErrors", "field_errors", "validation_errors")
_NO_FIELDS = (
    "",
    "body",
    "query",
    "input",
    "root",
    "message",
    "code",
    "type",
    "reason",
    "msg",
    "status",
    "detail",
    "domain",
)
_SAYING_NOTHING = frozenset(
    "a an and any api are argument arguments at bad be body by cannot check client code could data detail details does "
    "empty entity enum err error errors exception expected fail failed failure false field fields following for format found "
    "had happened has have http in incorrect input inputs internal invalid is issue issues it json literal malformed match "
    "message missing more must no not object occurred of on one oops option options or parameter parameters params parse "
    "parsing payload please problem process processed properties property provided reason rejected request requests schema "
    "see server some something sorry status string submitted supported syntax that the this to try type unable unexpected "
    "unknown unprocessable unsupported valid validate validation value values was went were with wrong you your again "
    "参数错误 请求参数错误 无效的请求 请求无效 请求错误 参数无效".split()
)
_NOT_WORDS = re.compile(r"(?i)(id|time|stamp|date|url|uri|docs|instance|version|path|method)$")
"""Names of values that identify an error or a place, and say nothing about it."""
_NOISE = re.compile(r"(?i)\(?\b(request|trace)[ _-]?id\b[^;)]*\)?|unprocessable content|https?://\S+")


def names_nothing(reply: Reply, failure: ProviderFailure) -> bool:
    """Whether a refusal says no more than that the request is wrong: neither words, nor codes, nor field names say why.

    False for a web page, which isn't the API's own answer.
    """
    if not is_refusal(failure) or failure.kind != "invalid" or len(reply.body) > _LONGEST:
        return False
    value = _value(reply)
    texts = [failure.message] if value is None else _texts(value)
    found = re.findall(r"[^\W\d_]+", _NOISE.sub(" ", " ; ".join(texts)).lower())
    return not named_fields(value) and all(word in _SAYING_NOTHING or len(word) == 1 for word in found)


def _texts(value: Any, depth: int = 0) -> list[str]:
    """Every text in an error that may say something about it."""
    if isinstance(value, str):
        return [value]
    if depth > 6:
        return ["…unread"]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item, depth + 1)]
    if isinstance(value, dict):
        named = [item for name, item in value.items() if not (isinstance(item, str) and _NOT_WORDS.search(name))]
        return [text for item in named for text in _texts(item, depth + 1)]
    return []


def named_fields(value: Any, depth: int = 0) -> list[str]:
    """The request fields that an error names in a place of its own: `param`, `loc` and the like, or the keys of `errors`."""
    if depth > 5:
        return []
    if isinstance(value, list):
        return [name for item in value[:10] for name in named_fields(item, depth + 1)]
    if not isinstance(value, dict):
        return []
    found: list[str] = []
    for name, item in value.items():
        if name in _NAMES and isinstance(item, (str, list)):
            if name == "path" and isinstance(item, str) and item.startswith("/"):
                continue  # where the request went
            parts = item if isinstance(item, list) else re.split(r"[./\[\]]", item)
            found += [
                part for part in parts if isinstance(part, str) and part not in _NO_FIELDS and not part.isdecimal()
            ]
        elif name in _BY_NAME and isinstance(item, dict):
            found += [
                key for key, messages in item.items() if isinstance(messages, (str, list)) and key not in _NO_FIELDS
            ]
            found += named_fields(item, depth + 1)
        else:
            found += named_fields(item, depth + 1)
    return list(dict.fromkeys(found))


def message_without_prompt(reply: Reply, failure: ProviderFailure) -> str:
    """The message of a failure without the prompt, which an error may repeat."""
    sent = reply.prompt.strip()
    return failure.message.replace(sent, " ") if sent else failure.message


def _value(reply: Reply) -> Any:
    """The JSON of a reply; None where it is none, or longer than a refusal is."""
    if len(reply.body) > _LONGEST:
        return None
    try:
        return read_json(reply.body)
    except NotJson:
        return None
