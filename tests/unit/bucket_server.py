"""moto's S3 server for tests: a double, which says nothing about what Amazon or another server does."""

from __future__ import annotations

import logging
import urllib.request
from typing import Any

BUCKET = "studio"
KEY, SECRET = "AKIATESTTESTTEST", "secret+of/the+tests"


def missing() -> str:
    """Why no server can be started here; "" when one can."""
    for package in ("obstore", "moto", "flask", "flask_cors"):
        try:
            __import__(package)
        except ImportError:
            return f"{package} is not installed"
    return ""


class BucketServer:
    """A running server with one bucket. What is in it outlives `stop` and `start`."""

    def __init__(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._port = 0
        self.start()
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/{BUCKET}", method="PUT"), timeout=30):
            pass

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        from moto.server import ThreadedMotoServer

        self._server = ThreadedMotoServer("127.0.0.1", self._port, verbose=False)
        self._server.start()
        self._port = self._server.get_host_and_port()[1]

    def stop(self) -> None:
        self._server.stop()

    def environ(self, prefix: str) -> dict[str, str]:
        """The settings of a machine that keeps its results in a folder of the bucket."""
        return {
            "NANO_BANANA_RESULTS": f"s3://{BUCKET}/{prefix}",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }

    def files(self, prefix: str) -> dict[str, bytes]:
        """What is in a folder of the bucket, by key."""
        import obstore

        store = self._store(prefix)
        keys = [each["path"] for chunk in obstore.list(store) for each in chunk]
        return {key: bytes(obstore.get(store, key).bytes()) for key in keys}

    def replace(self, prefix: str, key: str, data: bytes) -> None:
        import obstore

        obstore.put(self._store(prefix), key, data)

    def put_raw(self, prefix: str, key: str) -> None:
        """Puts an object with any key, also one that obstore would not write."""
        self._raw().put_object(Bucket=BUCKET, Key=f"{prefix}/{key}", Body=b"odd")

    def delete_raw(self, prefix: str, key: str) -> None:
        self._raw().delete_object(Bucket=BUCKET, Key=f"{prefix}/{key}")

    def _raw(self) -> Any:
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
        )

    def delete(self, prefix: str, key: str) -> None:
        import obstore

        obstore.delete(self._store(prefix), key)

    def _store(self, prefix: str) -> Any:
        from obstore.store import S3Store

        return S3Store(
            BUCKET,
            prefix=prefix,
            endpoint=self.url,
            access_key_id=KEY,
            secret_access_key=SECRET,
            client_options={"allow_http": True, "timeout": "30s"},
        )
