# One job per sweep by default: starting Python and torch is dear, a laptop-scale run is not. With one run per job
# most share a rule, see lrtransfer.study.workflow.targets.
# A job's files come from the work folder where they were finished before, see lrtransfer.study.training.sweep.
localrules:
    train_all,


rule train_all:
    input:
        TARGETS.runs,
        TARGETS.checkpoints,


for training in TARGETS.train_rules():

    rule:
        name:
            f"train_{training.name}"
        input:
            # ancient: the folder's name holds what the data are; a new time stamp means nothing.
            lambda wildcards, keys=training.keys: ancient(
                TARGETS.data_of(keys or [wildcards.key])
            ),
        output:
            list(training.outputs),
        log:
            f"{LOGS}/train/{training.log}.log",
        benchmark:
            f"{LOGS}/train/{training.log}.tsv"
        wildcard_constraints:
            key="[0-9a-f]+",
        threads: RESOURCES.processes_per_run
        resources:
            # More of both after a failure: a lost job is more often too small than wrong.
            mem_mb=lambda wildcards, attempt: RESOURCES.train.mem_mb * attempt,
            runtime=lambda wildcards, attempt, keys=training.keys: TARGETS.minutes(
                keys or [wildcards.key], attempt
            ),
            gpu=0 if TARGETS.gres else RESOURCES.train.gpu,
            gres=lambda wildcards, keys=training.keys: TARGETS.gres_of(
                keys or [wildcards.key]
            ),
            # Not `threads`, which Snakemake caps by the cores of the machine that it runs on.
            cpus_per_task=RESOURCES.processes_per_run,
        shell:
            "exec python -m lrtransfer stage train --threads {threads} {output} > {log} 2>&1"
