"""Which HTTP statuses allow a request to be sent in another variant.

Read by dialects, which know several variants of a request (`core/dialects/base/variants.py`). A variant that was refused with
such a status counts as free; what any other failure cost is decided in `core/execution/charge.py`.
"""

from __future__ import annotations

_REFUSED_AS_SENT = frozenset({400, 404, 405, 415, 422})
_NO_SUCH_ROUTE = frozenset({404, 405, 410, 501})


def allows_other_variant(status: int | None) -> bool:
    """Whether a paid request that was answered with `status` may be sent in another variant.

    Only after statuses by which an API refuses a request before work begins: the first try then cost nothing. After 408,
    409, 499 or 5xx the request may have been done, and 401, 402, 403 and 429 are about the account: no variant changes them.
    """
    return status in _REFUSED_AS_SENT


def is_missing_route(status: int | None) -> bool:
    """Whether `status` says that a free request, such as an upload, has no route at this base: another way may be tried.

    501 is one of them because nothing was paid; a paid request isn't sent in another variant after it.
    """
    return status in _NO_SUCH_ROUTE
