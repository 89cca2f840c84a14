"""What a ledger is taken for."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrtransfer.study.workflow.stages import read_claims


@pytest.mark.parametrize("content", ["{", "{}", "[1]", '[{"id": "x"}]', "\udcff"])
def test_what_is_no_ledger_is_named_and_nobody_told_to_delete_it(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=r"mine\.json: no ledger of claims\. Give") as caught:
        read_claims(path)
    assert "aside" not in str(caught.value)


def test_a_ledger_that_is_not_there_yet_is_asked_of_the_study(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no ledger yet. Run the study"):
        read_claims(tmp_path / "claims.json")
