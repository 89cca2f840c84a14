# Spectra of the stored checkpoints, without retraining.
localrules:
    spectra_all,


rule spectra_all:
    input:
        TARGETS.spectra,


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
            "exec python -m lrtransfer stage spectra --threads {threads} {output} > {log} 2>&1"
