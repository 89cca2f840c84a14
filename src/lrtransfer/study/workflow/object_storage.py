"""Snakemake's copies of files in a bucket, where machines share no file system."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def be_its_copies(workflow: Any) -> None:
    """Let this folder be where Snakemake keeps its copies of the study's files in a bucket.

    Our stages name files by the study's own paths (`results/…`), Snakemake by those of its copies.
    A link from there to here makes them one. Without `--default-storage-provider` nothing is done.

    Args:
        workflow: Snakemake's, as the Snakefile sees it.

    Raises:
        ValueError: Something else lies where the link should.
    """
    provider = workflow.storage_registry.default_storage_provider
    if provider is None:
        return
    prefix = str(workflow.storage_settings.default_storage_prefix).rstrip("/")
    copies = Path(provider.object(f"{prefix}/any").local_path()).parent
    if copies.is_symlink():
        return
    if copies.exists():
        raise ValueError(f"{copies} holds copies of an earlier start. Remove it.")
    copies.parent.mkdir(parents=True, exist_ok=True)
    copies.symlink_to(os.path.relpath(Path.cwd(), copies.parent.resolve()))
