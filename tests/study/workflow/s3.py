"""An S3 store on loopback that can fail after some requests and damage what it holds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from tests.study.workflow.project import Project

BUCKET = "study"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_MAX_ATTEMPTS": "1",
}
_UNAVAILABLE = "503 Service Unavailable"


class Store:
    """The server; ``budget`` counts the objects that it still takes or gives, None for all."""

    def __init__(self) -> None:
        self.budget: int | None = None
        self._app = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.client = boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def empty(self) -> None:
        """Start afresh: an empty bucket and no fault."""
        self.budget = None
        if any(bucket["Name"] == BUCKET for bucket in self.client.list_buckets()["Buckets"]):
            for name in self.objects():
                self.client.delete_object(Bucket=BUCKET, Key=name)
        self.client.create_bucket(Bucket=BUCKET)

    def objects(self) -> list[str]:
        """Return the names of all objects."""
        listed = self.client.list_objects_v2(Bucket=BUCKET)
        return [item["Key"] for item in listed.get("Contents", [])]

    def damage(self, name: str) -> None:
        """Flip a byte of an object."""
        content = bytearray(self.client.get_object(Bucket=BUCKET, Key=name)["Body"].read())
        content[len(content) // 3] ^= 0x10
        self.client.put_object(Bucket=BUCKET, Key=name, Body=bytes(content))

    def stop(self) -> None:
        """End the server."""
        self._server.shutdown()

    def _answer(self, request: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        is_object = request["PATH_INFO"].count("/") > 1
        if self.budget is not None and is_object and request["REQUEST_METHOD"] in ("PUT", "GET"):
            if self.budget <= 0:
                start(_UNAVAILABLE, [("Content-Length", "0")])
                return []
            self.budget -= 1
        return self._app(request, start)  # type: ignore[no-any-return]


class OnStore(Project):
    """A project whose DVC remote is the store."""

    @property
    def environment(self) -> dict[str, str]:
        """Variables for commands, with the store's credentials."""
        return {**super().environment, **CREDENTIALS}
