"""What the machine does not give is named in one line, before anything runs."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from lrtransfer import cli
from lrtransfer.study.storage.paths import Layout
from lrtransfer.study.workflow import start
from lrtransfer.study.workflow.machine import check_folders, check_memory, own_cache


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _limit(monkeypatch: pytest.MonkeyPatch, megabytes: int) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (megabytes << 20, -1))


@pytest.mark.parametrize("command", ["check", "workflow"])
def test_too_little_memory_to_load_torch_is_named_with_its_limit(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _limit(monkeypatch, 800)
    assert cli.main([command]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: a process may have 800 MB of memory here (ulimit -v)")
    assert error.count("\n") == 1


def test_enough_memory_and_no_limit_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    _limit(monkeypatch, 1200)
    check_memory()
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY,) * 2)
    check_memory()


@pytest.mark.parametrize(
    "error", [MemoryError(), ImportError("libblas.so: failed to map segment from shared object")]
)
def test_memory_that_ends_later_is_one_line_too(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr("lrtransfer.study.workflow.machine.check_memory", fail)
    assert cli.main(["check"]) == 1
    assert capsys.readouterr().err.startswith("error: the memory is full.")


@pytest.mark.parametrize(
    "bad", ["results/runs", "results", "results/figures/e", ".lrtransfer/jobs/results"]
)
def test_a_folder_that_cannot_be_written_to_stops_the_study_by_name(
    bad: str, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("results/runs", "results/figures/e", ".lrtransfer/jobs/results"):
        (here / name).mkdir(parents=True)
    check_folders(Layout(), Path("logs"))
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda place, mode: Path(place) != Path(bad) and access(place, mode)
    )
    with pytest.raises(SystemExit) as error:
        start.begin(Layout())
    assert error.value.code == 1
    assert f"error: {here / bad}: this user" in capsys.readouterr().err


def test_another_scale_s_folders_are_not_asked_for(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "results/scales/paper").mkdir(parents=True)
    monkeypatch.setattr(os, "access", lambda place, mode: "paper" not in str(place))
    check_folders(Layout(), Path("logs"))


@pytest.mark.parametrize("home", ["/dev/null", "/nonexistent"])
def test_without_a_home_the_cache_lies_in_the_study(
    home: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(here))
    assert own_cache() == {}
    monkeypatch.setenv("HOME", home)
    assert own_cache() == {"XDG_CACHE_HOME": str(here / ".lrtransfer/cache")}


@pytest.mark.parametrize("content", ["jobs: [\n", "- 1\n", "config: 5\n", "config: [scale]\n", ""])
def test_a_profile_that_is_none_is_named(
    content: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "config.yaml").write_text(content)
    monkeypatch.setenv("SNAKEMAKE_PROFILE", str(here))
    with pytest.raises(ValueError, match=r"config\.yaml \(SNAKEMAKE_PROFILE\) is no mapping"):
        start._profile_settings()


def test_a_file_in_the_place_of_a_profile_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNAKEMAKE_PROFILE", __file__)
    with pytest.raises(FileNotFoundError, match="Give the path of the profile's folder"):
        start._profile_settings()
