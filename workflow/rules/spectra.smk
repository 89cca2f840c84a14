# Spectra of the stored checkpoints, without retraining.
localrules:
    spectra_all,


rule spectra_all:
    input:
        TARGETS.spectra,
        TARGETS.all_spectra_tables,


for job in TARGETS.spectra_jobs():

    rule:
        name:
            f"spectra_{job.name}"
        input:
            ancient(list(job.datasets)),
            ancient(list(job.checkpoints)),
        output:
            list(job.outputs),
        log:
            f"{LOGS}/spectra/{job.name}.log",
        benchmark:
            f"{LOGS}/spectra/{job.name}.tsv"
        threads: 1
        resources:
            mem_mb=lambda wildcards, attempt: RESOURCES.spectra.mem_mb * attempt,
            runtime=lambda wildcards, attempt: RESOURCES.spectra.runtime_minutes
            * attempt,
            gpu=RESOURCES.spectra.gpu,
        shell:
            "exec python -m lrtransfer spectra --threads {threads} {output} > {log} 2>&1"


for experiment in PLAN.experiments:

    rule:
        name:
            f"spectra_tables_{experiment}"
        input:
            ancient(TARGETS.of(experiment).spectra),
        output:
            TARGETS.spectra_tables(experiment),
        log:
            f"{LOGS}/spectra_tables/{experiment}.log",
        localrule: True
        params:
            identity=TARGETS.of(experiment).identity("spectra_tables"),
            experiment=experiment,
        shell:
            "exec python -m lrtransfer spectra-tables {params.experiment} > {log} 2>&1"
