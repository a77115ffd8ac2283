"""Google's Vertex AI: the Gemini body under a project, an OAuth token in place of a key, and where such tokens are given.

The token address takes what a service account signs: its claims are checked, its signature only for being there, as the
account's key is the test's own. An account whose name begins with `disabled` gets none. There is no upload here.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from typing import Any
from urllib.parse import parse_qsl

from pack.simulator.api import Route, route
from pack.simulator.message import Reply, json_reply
from pack.tests.doubles.api import Call
from pack.tests.doubles.gemini import Gemini

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
AUDIENCE = "https://oauth2.googleapis.com/token"
"""What Google's library signs for, wherever it sends it."""
SECONDS = 3600


class Vertex(Gemini):
    """See the module."""

    id = "vertex"
    auth = "bearer"
    output_formats = True

    def routes(self) -> tuple[Route, ...]:
        """Generation at the location `global`, where the SDK calls v1beta1, and tokens."""
        project = r"/v1(?:beta1)?/projects/[a-z][a-z0-9-]{4,28}[a-z0-9]/locations/global"
        model = r"/publishers/google/models/(?P<model>[^/:]+)"
        return (
            route("generate", "POST", f"{project}{model}:generateContent", read=self._read),
            route("stream", "POST", f"{project}{model}:streamGenerateContent", read=self._read, query=("alt=sse",)),
            route("token", "POST", "/token", answer=self._token, kind="token", body="raw", auth=False),
        )

    def _token(self, call: Call) -> Reply:
        declared = (call.request.header("content-type") or "").partition(";")[0].strip().lower()
        try:
            given = dict(parse_qsl(bytes(call.request.body).decode("ascii"), strict_parsing=True))
        except ValueError:
            given = {}
        if declared != "application/x-www-form-urlencoded" or set(given) != {"grant_type", "assertion"}:
            return _denied("invalid_request", "Bad request.")
        if given["grant_type"] != GRANT:
            return _denied("unsupported_grant_type", "Invalid grant_type.")
        try:
            head, claims, signature = (_unpacked(piece) for piece in given["assertion"].split("."))
            facts, stated = json.loads(head), json.loads(claims)
            fault = _wrong(facts, stated, signature)
        except (ValueError, TypeError, AttributeError):
            fault = "Invalid JWT."
        if fault:
            return _denied("invalid_grant", fault)
        token = f"sim-{secrets.token_hex(24)}"
        return json_reply(200, {"access_token": token, "expires_in": SECONDS - 1, "token_type": "Bearer"})


def _wrong(head: dict[str, Any], claims: dict[str, Any], signature: bytes) -> str:
    """What is wrong with an assertion; "" for nothing."""
    now = time.time()
    if head.get("alg") != "RS256" or len(signature) < 128:
        return "Invalid JWT Signature."
    if claims.get("aud") != AUDIENCE:
        return "Invalid JWT: audience."
    if claims.get("scope") != SCOPE:
        return "Invalid OAuth scope or ID token audience provided."
    if not claims["iat"] - 300 < now < claims["exp"] <= claims["iat"] + SECONDS:
        return "Invalid JWT: Token must be a short-lived token and in a reasonable timeframe."
    account = str(claims.get("iss", ""))
    if not account.endswith(".iam.gserviceaccount.com") or account.startswith("disabled"):
        return "Invalid grant: account not found"
    return ""


def _unpacked(piece: str) -> bytes:
    return base64.urlsafe_b64decode(piece + "=" * (-len(piece) % 4))


def _denied(code: str, words: str) -> Reply:
    return json_reply(400, {"error": code, "error_description": words})


API = Vertex()
