"""What a redirect of a request with a key says: whether its request was done, and where its answer may be fetched.

Pure. A body with a key is never sent again along a redirect, and no other origin hears of it. Source: RFC 9110, 15.4.
"""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from .reply import Reply
from .url_policy import origin

AS_GET = frozenset({301, 302, 303})
"""After these a client asks the new address with GET, whatever the method was; 307 and 308 keep the method and the body."""
MOST_HOPS = 3


def is_same_address(url: str, location: str) -> bool:
    """Whether a redirect from `url` asks for the same address spelled otherwise: with https, or with or without a last slash.

    A server answers so before it looks at the request (web frameworks do it for routes). Any other redirect may be the answer
    to a request that was done.
    """
    try:
        asked, target = urlsplit(url), urlsplit(urljoin(url, location))
        same = asked.path.rstrip("/") == target.path.rstrip("/") and asked.query == target.query
        secured = (asked.scheme, target.scheme) == ("http", "https") and asked.hostname == target.hostname
        slashed = origin(url) == origin(target.geturl()) and asked.path != target.path
    except ValueError:
        return False
    return same and (secured or slashed)


def answer_address(url: str, reply: Reply, *, is_get: bool) -> str:
    """Where the answer to a request for `url` can be fetched with GET, by the redirect `reply`; "" where it can't.

    A 201 without a body names what it has made in the same way. Only at the origin of `url`: the key goes along.
    """
    location = reply.headers.get("location", "").strip()
    made = reply.status == 201 and not reply.body.strip()
    if not location or not (reply.status in AS_GET or made or (is_get and reply.status in (307, 308))):
        return ""
    try:
        target = urljoin(url, location)
        found = target.partition("#")[0] if origin(target) == origin(url) else ""
    except ValueError:
        return ""
    return "" if found == url or (not is_get and is_same_address(url, location)) else found
