"""What the site takes from elsewhere in the repository, so that nothing is written twice.

The README is the first page, every experiment has a page made from `params.yaml` and the ledger,
and a file outside `docs/` to which a page links is copied beside the pages. mkdocs calls the
functions whose names begin with `on_` (`hooks:` in mkdocs.yml).
"""

from __future__ import annotations

import json
import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lrtransfer.study.evidence.ledger import rule_of
from lrtransfer.study.plan.claims import FILE, load_claims
from lrtransfer.study.plan.load import load_study, read_params
from lrtransfer.study.plan.resolved import written_out

ROOT = Path(__file__).resolve().parents[1]
DOCS = "docs"
ELSEWHERE = "repository"  # the site's folder for what does not lie in docs/
_LINK = re.compile(r"(\]\()([^)#\s:]+)((?:#[^)]*)?\))")
_LOADED = re.compile(r'<(?:script|img|link rel="stylesheet")[^>]* (?:src|href)="(https?:[^"]+)"')
_PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages made here, and every file to which a page links outside docs/."""
    from mkdocs.structure.files import File

    pages = {f.src_uri: f.content_string for f in files.documentation_pages()}
    made = dict(_made())
    for uri, text in made.items():
        files.append(File.generated(config, uri, content=text))
    for uri, text in (pages | made).items():
        for target in _outside(uri, text):
            if files.get_file_from_path(target) is None:
                path = ROOT / target.removeprefix(f"{ELSEWHERE}/")
                files.append(File.generated(config, target, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Point links that leave docs/ to the copies."""
    uri = page.file.src_uri

    def copied(link: re.Match[str]) -> str:
        target = _site_uri(uri, link[2])
        if target is None:
            return link[0]
        return f"{link[1]}{posixpath.relpath(target, posixpath.dirname(uri) or '.')}{link[3]}"

    return _LINK.sub(copied, markdown)


def on_post_page(output: str, *, page: Any, **_: Any) -> str:
    """Refuse a page that loads something from elsewhere: the site works without a network."""
    from mkdocs.exceptions import PluginError

    if found := _LOADED.search(output):
        raise PluginError(f"{page.file.src_uri} loads {found[1]}. Put it into docs/.")
    return output


def _made() -> Iterator[tuple[str, str]]:
    """Yield address and text of every page that is made here."""
    for name in _PAGES:
        text = (ROOT / name).read_text(encoding="utf-8")
        uri = "index.md" if name == "README.md" else name.lower()
        # Links of the repository's root, as from docs/.
        yield uri, _LINK.sub(lambda m: f"{m[1]}{posixpath.relpath(m[2], DOCS)}{m[3]}", text)
    params = read_params(ROOT / "params.yaml")
    ledger = defaultdict(list)
    for record in json.loads((ROOT / "results" / "claims.json").read_text(encoding="utf-8")):
        ledger[record["experiment"]].append(record)
    head = "| experiment | question | verdicts |"
    index = ["# A page for each experiment", "", head, "|---|---|---|"]
    for name, said in params["study"].items():
        yield f"experiment/{name}.md", _experiment(params, name, said["question"], ledger[name])
        counts = Counter(record["verdict"] for record in ledger[name])
        verdicts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
        index.append(f"| [{name}]({name}.md) | {said['question']} | {verdicts or 'not run yet'} |")
    yield "experiment/index.md", "\n".join(index)


def _experiment(params: Any, name: str, question: str, records: list[dict[str, Any]]) -> str:
    """Return the page of an experiment: question, answers, pictures, protocol."""
    figures = sorted((ROOT / "results" / "figures" / name).glob("*.png"))
    return "\n".join(
        [
            f"# {name}",
            "",
            f"**{question}**",
            "",
            *(_found(records) if records else _registered(name)),
            "",
            *(f"![{p.stem}](../../{p.relative_to(ROOT).as_posix()})\n" for p in figures),
            "## Protocol",
            "",
            "What was fixed when: [the experiments](../experiments.md). All that the experiment "
            "asks, with what it inherits:",
            "",
            "```yaml",
            written_out(params, name, "laptop"),
            "```",
            "",
        ]
    )


def _found(records: list[dict[str, Any]]) -> Iterator[str]:
    """Yield what came out of an experiment's claims."""
    yield "## What came out"
    yield ""
    yield "Estimates and 95 % intervals, at laptop scale; [how they are made](../statistics.md)."
    yield ""
    yield "| claim | found | rule | verdict | name |"
    yield "|---|---|---|---|---|"
    for r in records:
        yield f"| {r['statement']} | {_value(r)} | {r['rule']} | {r['verdict']} | `{r['id']}` |"


def _registered(name: str) -> Iterator[str]:
    """Yield the claims of an experiment that has not been run."""
    yield "## Not run yet"
    yield ""
    yield "| claim | rule | name |"
    yield "|---|---|---|"
    for claim in load_claims(ROOT / FILE, load_study(ROOT / "params.yaml")):
        if name in claim.entry.experiments:
            yield f"| {claim.entry.says} | {rule_of(claim.entry.rule)} | `{claim.id}` |"


def _value(record: dict[str, Any]) -> str:
    if record["value"] is None:
        return "not measured"
    ends = (record[field] for field in ("value", "ci_low", "ci_high"))
    value, low, high = ("open" if end is None else f"{end:.2g}".replace("-", "−") for end in ends)
    unit = "" if record["unit"] == "1" else f" {record['unit']}"
    return f"{value} [{low}, {high}]{unit}"


def _outside(uri: str, text: str) -> Iterator[str]:
    targets = (_site_uri(uri, link[2]) for link in _LINK.finditer(text))
    return (target for target in targets if target is not None)


def _site_uri(uri: str, link: str) -> str | None:
    """Return the site's address of what a page links to; None if it lies in docs/ or nowhere."""
    path = posixpath.normpath(posixpath.join(DOCS, posixpath.dirname(uri), link))
    if path.startswith(f"{DOCS}/"):
        return None
    if path in _PAGES:
        return "index.md" if path == "README.md" else path.lower()
    return f"{ELSEWHERE}/{path}" if (ROOT / path).is_file() else None
