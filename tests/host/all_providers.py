"""A host with a key for every provider there is, and under the profile `wrong` one that none of them takes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pack.core.providers import BUILT_IN
from pack.dev.comfy_host import Host
from pack.tests.host.kit import Bench

WRONG = "nobody-s-key-41c7e09a"


@contextlib.contextmanager
def all_providers(doubles: Any, base: Path) -> Iterator[Bench]:
    """The running host, on `base`; without caps, or a prompt for all would pass them."""
    variables = {"NANO_BANANA_CAP_DAY": "none", "NANO_BANANA_CAP_RUN": "none"}
    private = ""
    for spec in BUILT_IN.values():
        if spec.local:
            continue
        prefix = f"NANO_BANANA_{spec.id.upper()}"
        variables[f"{prefix}_BASE_URL"] = doubles.base_url(spec.id)
        if spec.auth == "google_service_account":
            private = private or _private_key()
            for name, who in (("", "sim"), ("WRONG_", "disabled")):
                account = base / f"account-{who}.json"
                account.write_text(_service_account(doubles, private, who), "utf-8")
                variables[f"{prefix}_{name}API_KEY_FILE"] = str(account)
        else:
            variables[f"{prefix}_API_KEY"] = "sim-test"
            variables[f"{prefix}_WRONG_API_KEY"] = WRONG
    with Host.start(base, variables) as host:
        yield Bench(host, doubles)


def _private_key() -> str:
    """Made for this run."""
    rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem: bytes = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem.decode()


def _service_account(doubles: Any, private: str, who: str) -> str:
    """A service account of the doubles' own; it knows nobody called `disabled`."""
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "sim-project",
            "private_key_id": "1",
            "private_key": private,
            "client_email": f"{who}@sim-project.iam.gserviceaccount.com",
            "token_uri": doubles.base_url("vertex") + "/token",
        }
    )
