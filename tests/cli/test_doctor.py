"""`lrtransfer doctor`: what is there, what is missing, what is broken."""

from __future__ import annotations

import json
import shutil
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from packaging.requirements import Requirement

from lrtransfer.cli import doctor, main
from tests.tiny import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def as_metadata() -> list[str]:
    """Return pyproject's requirements as an installed package's metadata say them."""
    extras = PROJECT["optional-dependencies"]
    ours = [f'{text}; extra == "{extra}"' for extra, own in extras.items() for text in own]
    return [*PROJECT["dependencies"], *ours]


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """Let exactly what this returns be installed, in a bare folder; torch sees no card."""
    monkeypatch.chdir(tmp_path)
    cuda = SimpleNamespace(is_available=lambda: False)
    torch = SimpleNamespace(cuda=cuda, version=SimpleNamespace(cuda=None), __version__="2.13.0+cpu")
    monkeypatch.setitem(sys.modules, "torch", torch)
    versions = {"lrtransfer": PROJECT["version"]}
    for need in map(Requirement, as_metadata()):
        bounds = [one.version for one in need.specifier if one.operator in (">=", "==")]
        versions.setdefault(need.name, bounds[0] if bounds else "1")

    def version(name: str) -> str:
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(metadata, "requires", lambda _: as_metadata())
    provided = SimpleNamespace(get_all=lambda _: list(PROJECT["optional-dependencies"]))
    monkeypatch.setattr(metadata, "metadata", lambda _: provided)
    return versions


def found(capsys: pytest.CaptureFixture[str], status: int = 0) -> dict[str, dict[str, Any]]:
    """Return the findings by what they are about."""
    if status:
        with pytest.raises(SystemExit) as ended:
            main(["doctor", "--json"])
        assert ended.value.code == status
    else:
        assert main(["doctor", "--json"]) == 0
    return {one["about"]: one for one in json.loads(capsys.readouterr().out)}


def test_a_whole_installation_is_in_order_and_has_every_extra(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = found(capsys)
    extras = {f"[{name}]" for name in PROJECT["optional-dependencies"]}
    assert {name for name in shown if name.startswith("[")} == extras
    assert {shown[name]["state"] for name in ("lrtransfer", "instruments", *extras)} == {"ok"}
    assert set(shown["instruments"]["details"]) == {
        Requirement(text).name for text in PROJECT["dependencies"]
    }
    assert shown["card"]["text"] == "none; torch 2.13.0+cpu is built for the CPU alone"
    assert set(doctor._FOR) == set(PROJECT["optional-dependencies"])


def test_what_an_extra_lacks_is_named_with_its_remedy(
    capsys: pytest.CaptureFixture[str], installed: dict[str, str]
) -> None:
    del installed["dvc-s3"]
    installed["shtab"] = "1.0"
    shown = found(capsys)
    assert shown["[s3]"]["state"] == shown["[completion]"]["state"] == "missing"
    assert shown["[s3]"]["text"] == (
        'lacks dvc-s3>=3.2. For results in S3: pip install "lrtransfer[s3]"'
    )
    assert "lacks shtab>=1.7 (is 1.0)." in shown["[completion]"]["text"]
    assert shown["[cluster]"]["state"] == "ok"


@pytest.mark.parametrize("version", [None, "2.5.1"])
def test_a_base_that_is_not_met_is_broken(
    capsys: pytest.CaptureFixture[str], installed: dict[str, str], version: str | None
) -> None:
    if version is None:
        del installed["torch"]
    else:
        installed["torch"] = version
    broken = found(capsys, status=1)["instruments"]
    assert broken["state"] == "broken" and broken["text"].startswith("lacks torch>=2.6")
    assert broken["text"].endswith("pip install lrtransfer")


def test_a_study_needs_its_extra(
    capsys: pytest.CaptureFixture[str], installed: dict[str, str]
) -> None:
    del installed["snakemake"]
    shown = found(capsys)
    assert shown["[study]"]["state"] == "missing"
    # What builds on it needs it too, and says so in a word.
    assert shown["[cluster]"]["text"].startswith("lacks [study]. For studies on Slurm")
    shutil.copy(ROOT / "src/lrtransfer/study/workflow/template/params.yaml", "params.yaml")
    assert found(capsys, status=1)["[study]"]["state"] == "broken"


def test_a_faulty_study_is_broken_and_a_sound_one_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "lrtransfer init FOLDER" in found(capsys)["folder"]["text"]
    Path("params.yaml").write_text("scale: huge\n", encoding="utf-8")
    folder = found(capsys, status=1)["folder"]
    assert folder["state"] == "broken" and "params.yaml" in folder["text"]
    monkeypatch.chdir(ROOT)
    folder = found(capsys)["folder"]
    assert folder["state"] == "ok" and folder["details"]["scale"] == "laptop"


def test_what_is_not_installed_but_found_is_broken(
    capsys: pytest.CaptureFixture[str], installed: dict[str, str]
) -> None:
    del installed["lrtransfer"]
    shown = found(capsys, status=1)
    assert shown["lrtransfer"]["text"].startswith("not installed, only found at ")
    assert "instruments" not in shown


def test_a_torch_that_cannot_be_loaded_is_broken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert found(capsys, status=1)["card"]["text"].startswith("torch cannot be imported")


def test_a_card_is_named_with_its_memory(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    card = SimpleNamespace(name="NVIDIA A100", total_memory=80 * 2**30)
    cuda = SimpleNamespace(
        is_available=lambda: True, device_count=lambda: 2, get_device_properties=lambda _: card
    )
    version = SimpleNamespace(cuda="13.0")
    torch = SimpleNamespace(cuda=cuda, version=version, __version__="2.13.0")
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert found(capsys)["card"]["text"] == "NVIDIA A100, 80 GiB; NVIDIA A100, 80 GiB"


def test_the_machine_is_told_in_numbers_on_one_screen(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("PATH", "/nowhere")
    shown = found(capsys)
    assert shown["cores"]["details"]["OMP_NUM_THREADS"] == "3"
    assert 0 < shown["disk"]["details"]["free"] <= shown["disk"]["details"]["total"]
    assert shown["memory"]["details"]["bytes"] > 2**28
    assert shown["slurm"] == {
        "about": "slurm",
        "state": "missing",
        "text": "no sbatch on the PATH; needed for profiles/slurm",
        "details": {},
    }
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 30 and max(map(len, lines)) <= 100
    assert any(line.startswith("- slurm ") for line in lines)
