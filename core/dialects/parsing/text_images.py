"""Finds images in a text: an address, a data URI, base64, and the markup of images between words.

Long texts are looked through where they are in the answer; a base64 string is only decoded when its image is taken.
Pure functions.
"""

from __future__ import annotations

import html
import itertools
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace

from ...http.long_text import MOST_TEXT, LongText, Span
from ...images.header import ends_whole, sniff
from ..base.step import ImageRef
from .base64_text import decode_base64
from .coded_image import CodedImage
from .data_uris import MOST_IMAGES, PARAMETERS, data_uris, search_in_steps

Text = str | LongText

_LONG_ADDRESS = 4096
_MOST_JOINED = 100 << 20
"""Bytes of a text that came in pieces; a longer one is taken for words."""
_IMAGE_PATH = re.compile(r"(?i)\.(png|jpe?g|webp|gif|bmp|tiff?|avif|heic)$")
_PATH = re.compile(r"//?[\w%~@+.-][\w/%~@+.,:=-]*(\?[^\s\"'<>]*)?")
_MARKDOWN_IMAGE = re.compile(r"!\[[^\]\n]{0,300}\]\(\s{0,4}")
_HTML_IMAGE = re.compile(r"<img\b[^>]{0,300}?\bsrc\s{0,4}=\s{0,4}[\"']?", re.IGNORECASE)
_HTML_START = re.compile(r"<img\b", re.IGNORECASE)
_DATA_HEAD = re.compile(r"(?i)data:[\w.+-]{1,40}/[\w.+-]{1,40}" + PARAMETERS + r"\s{0,2},")
_ORNAMENT = re.compile(r"(?i)\b(logo|badge|favicon|avatar|icon|powered[ _-]by|watermark)s?\b")
_EMPTY_LINK = re.compile(r"\[\s{0,9}\]\([^()\s]{0,4000}\)")
_LINK_LINE = re.compile(r"(?:[-*>]\s{0,4})?(?:\[([^\]]{0,300})\]\(\s{0,4})?<?(https?://[^\s)>]{1,4000})>?\)?")
_DOWNLOAD = re.compile(r"(?i)download|下载|下載|原图|full size|open image|view image|查看")
_REFERENCE = re.compile(r"(?m)^ {0,3}\[([\w-]{1,40})\]:\s{1,4}<?(https?://[^\s>]{1,4000})>?[^\n]{0,300}$")
_NAMED_IMAGE = re.compile(r"!\[[^\]\n]{0,300}\]\[([\w-]{1,40})\]")
_IN_SENTENCE = re.compile(r"(?i)https?://[^\s<>\"'`\\{}|\[\]()]{1,4000}")
_SHORT_SENTENCE = 300
"""Characters beside an address in a text that is about nothing else."""
_NEXT = re.compile(r"[\s,;|]+(?=https?://|data:image/|iVBORw0KGgo|/9j/|UklGR)")
"""What is between images in a text that is nothing else."""
_SEPARATORS = ",;| \t\n\r\v\f\x1c\x1d\x1e\x1f"
_NEXT_IN_BYTES = re.compile(_NEXT.pattern.encode())
_LATER = (b"data:image", b"iVBORw0KGgo", b"/9j", b"UklGR")
_BEHIND = re.compile(rb"[\s,;|]\\?|\\[nrt]\\?")
"""What is before an image that follows another one; in a JSON string a line end and a slash may be escaped."""
_BEFORE = [bytes([sign]) for sign in b" \t\n\r\v\f,;|\\"]
"""What such a text has at least one of."""
_STEP = 1 << 20
_BINARY = (b"\xc2\x89PNG", b"\xc3\xbf\xc3\x98\xc3\xbf", b"RIFF")
"""How the bytes of PNG, JPEG and WebP begin where each is written as the character of its number, in UTF-8."""
_MOST_BINARY = 32 << 20
_ENDS = frozenset(" \t\r\n)>\"'`]|")


def image_of(text: Text) -> ImageRef | None:
    """An address, a data URI or base64 as a `ImageRef`; None for anything else."""
    if isinstance(text, LongText):
        if len(text) <= _LONG_ADDRESS:
            return image_of(text.text())
        coded = CodedImage.of(text)
        return ImageRef(coded=coded) if coded else _image_of_characters(text)
    if text[:1] in ("\x89", "\xff", "R") and (image := _image_of_characters(LongText.of(text))):
        return image
    text = text.strip()
    if text[:8].lower().startswith(("http://", "https://")):
        return None if any(space in text for space in '\r\n\t <>"') else ImageRef(url=text)
    data = decode_base64(text)
    return ImageRef(data=data) if data else None


def images_of(text: Text) -> list[ImageRef]:
    """Every image of a text that is nothing else: an address, a data URI or base64, or several with a comma, semicolon, bar or
    white space between them."""
    parts = _parts(text)
    several = [image_of(part) for part in parts] if len(parts) > 1 else []
    found = [image for image in several if image is not None]
    # All but the last have to be whole: base64 in lines may have the signature of an image by chance.
    if (
        len(found) > 1
        and len(found) == len(several)
        and all(image.url or ends_whole(image.read()) for image in found[:-1])
    ):
        return found
    image = image_of(text)
    return [image] if image is not None else []


def _parts(text: Text) -> list[Text]:
    if isinstance(text, str):
        is_searched = len(text) <= _MOST_JOINED and _has_separator(text)
        return list(_NEXT.split(text.strip())) if is_searched else []
    if len(text.spans) != 1 or len(text) > _MOST_JOINED or not _has_later_image(text.spans[0]):
        return []
    try:
        data = text.read()
    except ValueError:
        return []
    found: list[Text] = []
    begin = at = 0
    while len(found) < MOST_IMAGES:
        match = search_in_steps(_NEXT_IN_BYTES, data, at, step=_STEP, overlap=64)
        if match is None:
            break
        found.append(_part(data, begin, match.start()))
        begin = at = match.end()
    return [*found, _part(data, begin, len(data))]


def _has_separator(text: str) -> bool:
    """Whether anything is in a text that may be between images: a search for one character is quicker than `_NEXT`."""
    return not text.isascii() or any(letter in text for letter in _SEPARATORS)


def _part(data: bytes, start: int, end: int) -> Text:
    if end - start <= _LONG_ADDRESS:
        return data[start:end].decode("utf-8", "replace")
    return LongText(Span(data, start, end, False))


def _has_later_image(span: Span) -> bool:
    """Whether what begins like an image is in a text behind its beginning and a separator. In steps: a search holds the
    interpreter."""
    body, first = span.body, span.start + 64
    steps = range(first - 3, span.end, _STEP)  # `_BEHIND` is up to 3 bytes, and they are before the image
    if not any(body.find(sign, at, min(at + _STEP, span.end)) >= 0 for sign in _BEFORE for at in steps):
        return False  # to search for one sign is quicker than for a word
    for mark in _LATER:
        at = first
        while at < span.end:
            stop = min(at + _STEP, span.end)
            found = body.find(mark, at, stop)
            if found >= 0 and any(_BEHIND.fullmatch(body, found - back, found) for back in (1, 2, 3)):
                return True
            at = found + 1 if found >= 0 else stop - len(mark) + 1 if stop < span.end else span.end
    return False


def _image_of_characters(text: LongText) -> ImageRef | None:
    """The image whose bytes are the characters of a text, as programs write it that take bytes for Latin-1."""
    if not text.head(8).startswith(_BINARY) or len(text) > _MOST_BINARY:
        return None
    try:
        data = text.read().decode("utf-8").encode("latin-1")
    except ValueError:
        return None
    return ImageRef(data=data) if sniff(data) else None


def cleaned_address(text: Text) -> str:
    """An address without quotes and angle brackets around it, and with its spaces as the web writes them."""
    if isinstance(text, LongText):
        return ""
    text = text.strip().strip("<>\"'`").strip()
    return text.replace(" ", "%20") if text[:8].lower().startswith(("http://", "https://")) else ""


def image_lines(text: Text) -> tuple[list[ImageRef], str]:
    """The images that are base64 on lines of their own, also in a fenced block, and the other lines."""
    if isinstance(text, LongText):
        try:
            lines = text.read().split(b"\n") if len(text) <= _MOST_JOINED else []
        except ValueError:
            return [], ""
        found = [
            CodedImage.of(LongText(Span(line, 0, len(line), False))) for line in lines if len(line) > _LONG_ADDRESS
        ]
        return [ImageRef(coded=coded) for coded in found if coded], ""
    images: list[ImageRef] = []
    rest: list[str] = []
    for line in text.splitlines():
        image = ImageRef(data=data) if len(line) > 80 and (data := decode_base64(line.strip())) else None
        if image:
            images.append(image)
        else:
            rest.append(line)
    if images:
        rest = [line for line in rest if not line.strip().startswith("```")]
    return images, "\n".join(rest)


def relative_address(text: Text) -> ImageRef | None:
    """An address without a host, or without its scheme; whoever fetches it joins it to the provider's own address."""
    if isinstance(text, LongText):
        return None
    text = text.strip()
    if len(text) > 2000 or "://" in text.partition("?")[0]:
        return None
    if _PATH.fullmatch(text):
        return ImageRef(url=text)
    path = text.partition("?")[0]
    plain = re.fullmatch(r"(\./)?[\w%~@+.-]+(/[\w%~@+.-]+)*", path) and ".." not in path
    return ImageRef(url=text) if plain and _IMAGE_PATH.search(path) else None


def split_text(text: Text, known: Mapping[str, ImageRef] | None = None) -> tuple[list[ImageRef], str]:
    """The images that a text names or carries, and the text without their markup.

    A markdown image and an <img> are taken whatever their address looks like. An address alone on its line (also in angle
    brackets, or as a markdown link) is one where its path ends like an image file's, or where the text is nothing else.
    `known`: images by the data URIs that stand for them.
    """
    if isinstance(text, LongText):
        return _split_long(text)
    if not text or not any(mark in text for mark in ("http", "data:", "](", "<img", "<IMG")):
        return [], text.strip()
    images: list[ImageRef] = []
    ornaments: list[ImageRef] = []
    rest: list[str] = []
    at = 0
    for start, opened, end in _marked(text):
        if start < at:
            continue
        target = _target(text, opened)
        found = known.get(target) if known and len(target) < 100 else None
        found = found or image_of(target) or relative_address(target)
        if found is None:
            continue
        if _is_ornament(text[start:opened], target):
            ornaments.append(found)
        else:
            images.append(found)
        rest.append(text[at:start])
        at = _closing(text, opened + len(target), end)
    rest.append(text[at:])
    beside = "".join(rest)
    images = images or [each for each in ornaments if not each.url.partition("?")[0].lower().endswith((".svg", ".ico"))]
    if images:
        beside = _without_links(beside)
    else:
        images, beside = _bare(_with_references(beside))
    return images, "\n".join(line.rstrip() for line in beside.strip().splitlines() if line.strip())


def address_in_sentence(text: str, prompt: str) -> list[ImageRef]:
    """The only address in a short text, where it leads to a file of an image and is none that the user's `prompt` has."""
    if len(text) > _LONG_ADDRESS:
        return []
    text = html.unescape(text)
    found = {match.rstrip(".,;:!?*_") for match in _IN_SENTENCE.findall(text)}
    if len(found) != 1 or len(text) > len(min(found)) + _SHORT_SENTENCE:
        return []
    (url,) = found
    leads_to_image = _IMAGE_PATH.search(re.split(r"[?#]", url)[0]) and not _is_ornament("", url)
    return [ImageRef(url=url)] if leads_to_image and url not in prompt else []


def _is_ornament(markup: str, target: str) -> bool:
    """Whether an image belongs to the page and not to the answer: a logo, a badge, an icon."""
    name = target[-300:].partition("?")[0].rpartition("/")[2] if not target.startswith("data:") else ""
    return bool(_ORNAMENT.search(markup[:300]) or _ORNAMENT.search(name) or name.lower().endswith((".svg", ".ico")))


def _without_links(text: str) -> str:
    """The text beside images without what only leads to them once more: a line with a link to a file or a download."""
    text = _EMPTY_LINK.sub("", text)
    kept = []
    for line in text.splitlines():
        link = _LINK_LINE.fullmatch(line.strip()) if len(line) <= _LONG_ADDRESS else None
        leads_there = link and (_IMAGE_PATH.search(re.split(r"[?#]", link[2])[0]) or _DOWNLOAD.search(link[1] or ""))
        kept += [] if leads_there else [line]
    return "\n".join(kept)


def _with_references(text: str) -> str:
    """Markdown images that name their address below, written with it: `![fox][1]` and `[1]: https://...`."""
    named = dict(_REFERENCE.findall(text)) if "][" in text and len(text) <= 20_000 else {}
    if not named:
        return text
    rest = _REFERENCE.sub("", text)
    return _NAMED_IMAGE.sub(lambda found: f"\n{named.get(found[1], found[0])}\n", rest)


def _marked(text: str) -> Iterator[tuple[int, int, str]]:
    """Where a markdown image, an <img> or a data URI starts, where its address does, and what closes it."""
    marks: list[tuple[int, int, str]] = []
    at = text.find("![")
    while at >= 0 and len(marks) < MOST_IMAGES:
        # Matched one by one: a search over the whole text would hold the interpreter while it finds nothing.
        if match := _MARKDOWN_IMAGE.match(text, at):
            marks.append((at, match.end(), ")"))
        at = text.find("![", at + 1)
    for start in itertools.islice(_HTML_START.finditer(text), MOST_IMAGES):
        if match := _HTML_IMAGE.match(text, start.start()):
            marks.append((match.start(), match.end(), ">"))
    at = text.find("data:image/")
    while at >= 0 and len(marks) < 3 * MOST_IMAGES:
        marks.append((at, at, ""))
        at = text.find("data:image/", at + 1)
    return iter(sorted(marks))


def _target(text: str, start: int) -> str:
    """The address or data URI that begins at `start`, up to what can't be a part of one."""
    if text[start : start + 1] == "<":
        start += 1
    if text[start : start + 5].lower() == "data:":
        # Found with C-speed searches: a data URI has megabytes.
        # Inside brackets or quotes its lines may be broken.
        spaces = () if text[start - 1 : start] in ("(", "<", '"', "'") and start else (" ", "\n")
        head = _DATA_HEAD.match(text, start)  # its parameters may have brackets and spaces in quotes
        first = head.end() if head else start
        ends = [at for mark in (")", '"', "'", ">", "`", "]", *spaces) if (at := text.find(mark, first)) >= 0]
        return text[start : min(ends, default=len(text))]
    end = start
    depth = 0
    while end < len(text) and end - start < 4000:
        letter = text[end]
        depth += letter == "("
        if letter in _ENDS and not (letter == ")" and depth > 0):
            break
        depth -= letter == ")"
        end += 1
    return text[start:end]


def _closing(text: str, at: int, closes: str) -> int:
    """Behind the mark that ends an image's markup, where it is near; an optional title is before it."""
    if not closes:
        return at
    end = text.find(closes, at, at + 300)
    return at if end < 0 else end + 1


def _bare(text: str) -> tuple[list[ImageRef], str]:
    """Addresses that are alone on their line."""
    lines = text.splitlines()
    found: list[tuple[int, ImageRef, bool]] = []
    for number, line in enumerate(lines):
        bare = line.strip().strip("*_`").strip()
        if len(bare) > _LONG_ADDRESS:
            continue
        link = re.fullmatch(r"(?:[-*\d.]{1,4}\s+)?\[[^\]]{0,300}\]\(\s*<?(\S+?)>?\s*\)", bare)
        bare = link[1] if link else re.sub(r"^(?:[-*]|\d{1,2}[.)])\s+", "", bare).strip("<>")
        if not re.fullmatch(r"(?i)https?://\S+", bare):
            continue
        likely = bool(_IMAGE_PATH.search(re.split(r"[?#]", bare)[0]))
        found.append((number, ImageRef(url=bare), likely))
    addresses = {number for number, _, _ in found}
    others = any(line.strip() and number not in addresses for number, line in enumerate(lines))
    taken = [(number, image) for number, image, likely in found if likely or not others]
    numbers = {number for number, _ in taken}
    beside = "\n".join(line for number, line in enumerate(lines) if number not in numbers)
    return [image for _, image in taken], beside


# ------------------------------------------------------------------------------------------------------ long texts


def _split_long(text: LongText) -> tuple[list[ImageRef], str]:
    """`split_text` for a long text: its data URIs become short ones that stand for them."""
    if len(text.spans) != 1:
        if len(text) > _MOST_JOINED:
            return [], text.text()
        try:
            data = text.read()
        except ValueError:
            return [], ""
        text = LongText(Span(data, 0, len(data), False))
    (span,) = text.spans
    known: dict[str, ImageRef] = {}
    pieces: list[str] = []
    token, kept, remaining = f"data:image/long;{secrets.token_hex(8)}=", span.start, MOST_TEXT
    for start, end in data_uris(span):
        coded = CodedImage.of(LongText(replace(span, start=start, end=end)))
        if coded is None:
            continue
        before = LongText(replace(span, start=kept, end=start)).text()[:remaining]
        remaining -= len(before)
        name = f"{token}{len(known)}"
        pieces += [before, name]
        known[name] = ImageRef(coded=coded)
        kept = end
    pieces.append(LongText(replace(span, start=kept)).text()[:remaining])
    return split_text("".join(pieces), known)
