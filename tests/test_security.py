"""What a stranger's files cannot do: run code, write elsewhere, reach a shell or the network."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lrtransfer
from lrtransfer.study.plan.load import parse_study
from lrtransfer.study.plan.yaml_file import StudyError, read_yaml
from tests.tiny import EXPERIMENT, tiny_params

PACKAGE = Path(lrtransfer.__file__).parent
ROOT = PACKAGE.parents[1]

# Call -> the one file that may hold it; nothing else may.
GUARDED = {
    "pickle.load": (),
    "pickle.loads": (),
    "torch.load": (),
    "numpy.load": (),
    "np.load": ("study/data/array_file.py",),  # allow_pickle=False
    "joblib.load": (),
    "os.system": (),
    "os.popen": (),
    "eval": (),
    "exec": (),
    "yaml.unsafe_load": (),
    "yaml.full_load": (),
    "yaml.load": ("study/plan/yaml_file.py",),
}
NETWORK = {"urllib.request", "http.client", "requests", "pooch", "socket", "aiohttp", "httpx"}


@pytest.fixture(scope="module")
def nodes() -> list[tuple[str, ast.AST]]:
    """Return every node of the package's syntax trees, with its file."""
    return [
        (path.relative_to(PACKAGE).as_posix(), node)
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    ]


@pytest.mark.slow
def test_nothing_that_runs_what_it_reads_is_called(nodes: list[tuple[str, ast.AST]]) -> None:
    calls = [(name, ast.unparse(node.func)) for name, node in nodes if isinstance(node, ast.Call)]
    for call, files in GUARDED.items():
        assert {name for name, called in calls if called == call} == set(files), call


@pytest.mark.slow
def test_no_program_is_started_through_a_shell(nodes: list[tuple[str, ast.AST]]) -> None:
    keywords = [(name, node.arg) for name, node in nodes if isinstance(node, ast.keyword)]
    assert not [name for name, argument in keywords if argument == "shell"]


@pytest.mark.slow
def test_only_the_downloader_of_declared_data_reaches_the_network(
    nodes: list[tuple[str, ast.AST]],
) -> None:
    found = set()
    for name, node in nodes:
        imported = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            imported = [str(node.module)]
        if NETWORK & set(imported):
            found.add(name)
    assert found == {"study/data/download.py"}


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system ['touch pwned']", "!!python/name:os.system"]
)
def test_yaml_that_would_run_code_is_refused(
    tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    params = tmp_path / "params.yaml"
    params.write_text(f"scale: {tag}\n")
    with pytest.raises(StudyError, match=r"params\.yaml:1"):
        read_yaml(params)
    assert not (tmp_path / "pwned").exists()


@given(st.text(alphabet="ab_$;`'\"&|<>(){}\\\n /.*-~#!%", min_size=1, max_size=12))
def test_a_name_that_a_shell_would_read_as_more_than_a_word_is_refused(name: str) -> None:
    if set(name) <= set("ab_") and name[0] != "_":
        return
    for place in ("experiment", "arm", "dataset"):
        content = tiny_params()
        if place == "experiment":
            content["study"][name] = content["study"].pop(EXPERIMENT)
            content["experiments"] = "all"
        elif place == "arm":
            arms = content["study"][EXPERIMENT]["arms"]
            arms[name] = arms.pop("mup")
        else:
            content["data"][name] = content["data"].pop("mnist5k")
        with pytest.raises(StudyError):
            parse_study(content)


def test_shell_commands_hold_only_names_that_the_schema_checks() -> None:
    allowed = {"{log}", "{output}", "{threads}", "{params.name}", "{params.experiment}"}
    import re

    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "workflow/rules").glob("*.smk")]
    commands = re.findall(r'"(exec [^"]*)"', "\n".join(texts))
    assert len(commands) == "".join(texts).count("shell:") >= 8
    for command in commands:
        assert set(re.findall(r"{[^}]*}", command)) <= allowed
