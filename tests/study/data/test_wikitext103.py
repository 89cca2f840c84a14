"""WikiText-103 from an archive of the official layout."""

from __future__ import annotations

from lrtransfer.study.plan.catalog import load
from tests.study.data.packing import zipped
from tests.study.data.server import Served


def test_a_served_archive_is_read(server: Served) -> None:
    parts = {part: f" = {part} = \n" * 40 for part in ("train", "valid", "test")}
    raw = zipped({f"wikitext-103/wiki.{part}.tokens": t.encode() for part, t in parts.items()})
    made = load("data", "wikitext103")(
        url=server.address("wikitext-103-v1.zip", raw), held_out="test"
    )
    found = made.arrays(made.read())
    assert found["train_tokens"].tobytes().decode() == parts["train"]
    assert found["test_tokens"].tobytes().decode() == parts["test"]
    assert made.sizes == (1, 256)


def test_the_default_is_the_larger_archive() -> None:
    url = load("data", "wikitext103")().url  # type: ignore[attr-defined]
    assert url.endswith("/wikitext-103-v1.zip")
