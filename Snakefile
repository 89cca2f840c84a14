# The study as rules. Which runs there are is decided in one place, lrtransfer.study.plan.expand, from params.yaml;
# what a run's file is called holds all that can change it, so that a file's existence means it is valid.
import sys
from pathlib import Path

from snakemake.utils import min_version

from lrtransfer.study.workflow.folder import RULES

min_version("9.20")


# Used with `--sdm apptainer` alone; workflow/envs/lrtransfer.def is its recipe.
container: "workflow/envs/lrtransfer.sif"


include: f"{RULES}/common.smk"
include: f"{RULES}/data.smk"
include: f"{RULES}/train.smk"
include: f"{RULES}/spectra.smk"
include: f"{RULES}/evidence.smk"
include: f"{RULES}/figures.smk"


# Every file of every run: Snakemake would not miss one whose descendants stand.
rule all:
    default_target: True
    input:
        rules.prepare_all.input,
        rules.train_all.input,
        rules.spectra_all.input,
        rules.evidence_all.input,
        rules.figures_all.input,


onstart:
    begin(LAYOUT)
    cancel_orphans()
    keep_copies(PLAN, LAYOUT)
    watch(TARGETS, SELECTION.overrides, log)
    wait_for_jobs(workflow)
