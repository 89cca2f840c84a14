"""Every code block of README, CONTRIBUTING and docs/ is run, or says what it needs.

Python runs in order, with what `document_stages` gives it; a line `# SomeError: text` is what the
block raises. YAML is read as the part of params.yaml that it is. A console's commands are parsed by
what they call, and `judge` and `design` run on a table; that the others work is held elsewhere.
`test_documents.py` does the same with whole tutorials.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lrtransfer.cli import main
from lrtransfer.cli.parser import parser
from lrtransfer.study.plan.load import load_study, parse_study
from tests.document_blocks import DOCUMENTS, ROOT, Block, blocks, fences
from tests.document_stages import STAGES, runs

# Run whole by test_documents.py.
WHOLE = {
    f"docs/{name}.md"
    for name in ("tutorial", "own-model", "own-data", "own-probe", "own-parameterization")
}
SHELL = ("git", "cd", "mkdir", "dvc", "snakemake")
# Holds cells of over two seconds: models of transformers, figures, a process group.
SLOW = {
    "README.md",
    "docs/wrappers.md",
    "docs/judge.md",
    "docs/coordinate-check.md",
    "docs/curvature.md",
}

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
TARGETS = set(re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.M)[0].split())
VARIABLES = set(re.findall(r"\$\((?:if \$\()?([A-Z]+)\b", MAKEFILE))

OURS = [b for name in DOCUMENTS if name not in WHOLE for b in blocks(name) if b.need is None]


def of_kind(*kinds: str) -> list[Block]:
    return [block for block in OURS if block.kind in kinds]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)
    return tmp_path


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_block_is_of_a_kind_that_is_run_or_is_output(document: str) -> None:
    found = list(blocks(document))
    assert 2 * len(found) == fences(document), "a fence is not read as a block"
    for block in found:
        assert block.need or block.kind in ("python", "yaml", "console", "csv", ""), block
        assert block.kind or not re.match(r"(lrtransfer|make|snakemake|dvc) ", block.text), block


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
        for name in dict.fromkeys(block.document for block in of_kind("python"))
    ],
)
def test_python_runs(document: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own = [block for block in of_kind("python") if block.document == document]
    if document == "docs/statistics.md":
        monkeypatch.chdir(ROOT)  # it reads the committed results, and writes nothing
    names: dict[str, Any] = {}
    try:
        for block, given in zip(own, STAGES[document], strict=True):
            names |= given(names)
            code = compile("\n" * block.line + block.text, block.document, "exec")
            if raised := re.search(r"^# (\w+Error): (.*?)…", block.text, re.M):
                with pytest.raises(Exception, match=re.escape(raised[2])) as error:
                    exec(code, names)
                assert error.type.__name__ == raised[1]
            else:
                exec(code, names)
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def merged(into: Any, block: Any) -> Any:
    """Return a part of params.yaml with what a block says of it."""
    if not (isinstance(into, dict) and isinstance(block, dict)):
        return block
    return into | {key: merged(into.get(key), value) for key, value in block.items()}


def in_a_study_of_ones_own(block: dict[str, Any]) -> dict[str, Any]:
    template = ROOT / "src/lrtransfer/study/workflow/template/params.yaml"
    return merged(yaml.safe_load(template.read_text(encoding="utf-8")), block)


def in_the_study_like(experiment: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return what adds a block to this study, as what an experiment like one of its own says."""

    def added(block: dict[str, Any]) -> dict[str, Any]:
        inherited = {"question": "Does it parse?", "like": experiment, "only": []}
        return beside_the_others({"added": inherited | block})

    return added


def beside_the_others(block: dict[str, Any]) -> dict[str, Any]:
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    return merged(params, {"study": block})


PLACES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "docs/data-parallel.md": in_a_study_of_ones_own,
    "docs/params.md": beside_the_others,
    "docs/own-study.md": in_a_study_of_ones_own,
    "docs/speed.md": in_a_study_of_ones_own,
    "docs/tuners.md": in_the_study_like("tuners"),
    "docs/weight-decay.md": in_the_study_like("weight_decay"),
}


@pytest.mark.parametrize("block", of_kind("yaml"), ids=str)
def test_yaml_is_a_part_of_a_study(block: Block) -> None:
    content = PLACES[block.document](yaml.safe_load(block.text))
    if PLACES[block.document] is in_a_study_of_ones_own:
        main(["init", "."])
        Path("params.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
        load_study(Path("params.yaml"))
    else:
        parse_study(content)


def commands(block: Block) -> Iterator[list[str]]:
    """Yield the commands of a console, without what is set before and written after them."""
    for line in block.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True)
        while words:
            end = next((i for i, word in enumerate(words) if word in ("&&", "|", ">")), len(words))
            command, rest = words[:end], words[end:]
            yield command
            words = [] if rest[:1] == [">"] else rest[1:]


@pytest.mark.parametrize("block", of_kind("console"), ids=str)
def test_a_command_is_one(block: Block, capsys: pytest.CaptureFixture[str]) -> None:
    for table in ("runs.csv", "pilot.csv"):
        runs().to_csv(table, index=False)
    for program, *arguments in commands(block):
        name = Path(program).name
        if name == "make":
            assert {word for word in arguments if "=" not in word} <= TARGETS
            assert {word.partition("=")[0] for word in arguments if "=" in word} <= VARIABLES
        elif name == "lrtransfer":
            options = parser().parse_args(arguments)
            if options.called == "judge":
                assert main(arguments) == 0
                assert "best rate" in capsys.readouterr().out
        else:
            assert name in SHELL, f"{program} is no program that a test knows"
