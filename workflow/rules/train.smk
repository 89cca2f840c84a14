# One job per sweep by default: starting Python and torch is dear, a laptop-scale run is not.
# A job's files come from the work folder where they were finished before, see lrtransfer.training.sweep.
localrules:
    train_all,


rule train_all:
    input:
        TARGETS.runs,
        TARGETS.checkpoints,


for job in TARGETS.train_jobs():

    rule:
        name:
            f"train_{job.name}"
        input:
            # ancient: the folder's name holds what the data are; a new time stamp means nothing.
            ancient(list(job.datasets)),
        output:
            list(job.outputs),
        log:
            f"{LOGS}/train/{job.name}.log",
        benchmark:
            f"{LOGS}/train/{job.name}.tsv"
        threads: 1
        resources:
            # More of both after a failure: a lost job is more often too small than wrong.
            mem_mb=lambda wildcards, attempt: RESOURCES.train.mem_mb * attempt,
            runtime=lambda wildcards, attempt, job=job: TARGETS.minutes(job, attempt),
            gpu=RESOURCES.train.gpu,
        shell:
            "exec python -m lrtransfer train --threads {threads} {output} > {log} 2>&1"
