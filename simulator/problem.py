"""What is wrong with a request, before an API gives it its own status and shape.

Raised by every check; each API's `problem()` turns it into its own documented status and body. Holds no wire format.
"""

from __future__ import annotations

# The meaning of the statuses the simulator can answer with: (short code, plain sentence).
MEANINGS: dict[int, tuple[str, str]] = {
    400: ("invalid_request", "The request is not valid."),
    401: ("unauthorized", "The API key is missing or not valid."),
    402: ("insufficient_balance", "The account has no credit left."),
    403: ("permission_denied", "The key may not do this."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This method is not allowed here."),
    408: ("request_timeout", "The request took too long."),
    409: ("conflict", "The request conflicts with another one."),
    411: ("length_required", "The request does not say how long its body is."),
    413: ("payload_too_large", "The request is too large."),
    415: ("unsupported_media_type", "The content type is not supported."),
    421: ("misdirected_request", "This host name is not served here."),
    422: ("validation_error", "A field is not valid."),
    429: ("rate_limit_exceeded", "Too many requests."),
    451: ("unavailable_for_legal_reasons", "Not available in this region."),
    500: ("internal_error", "A server error occurred."),
    502: ("bad_gateway", "The upstream model could not be reached."),
    503: ("service_unavailable", "The service is overloaded."),
    504: ("gateway_timeout", "The upstream model took too long."),
}


class Problem(Exception):
    """A request that is refused.

    `status` is the plain HTTP meaning (an API may answer with another one); `field` names the field at fault;
    `code` overrides the short code; `headers` go out with the answer.
    """

    def __init__(
        self,
        status: int,
        message: str = "",
        *,
        field: str = "",
        code: str = "",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        short, sentence = MEANINGS.get(status, ("error", "The request failed."))
        super().__init__(message or sentence)
        self.status = status
        self.message = message or sentence
        self.field = field
        self.code = code or short
        self.named = bool(code)
        self.headers = headers
