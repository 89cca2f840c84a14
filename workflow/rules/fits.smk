# From runs to tables, from tables to optima, drifts, exponents and claims.
# On a cluster they run beside Snakemake: seconds each, not worth a place in the queue.
localrules:
    fits_all,
    index,
    ledger,


rule fits_all:
    input:
        TARGETS.tables,
        TARGETS.all_fits,


for experiment in PLAN.experiments:

    rule:
        name:
            f"tables_{experiment}"
        input:
            ancient(TARGETS.of(experiment).runs),
        output:
            TARGETS.run_tables(experiment),
        log:
            f"{LOGS}/tables/{experiment}.log",
        localrule: True
        params:
            identity=TARGETS.of(experiment).identity("tables", experiment),
            experiment=experiment,
        shell:
            "exec python -m lrtransfer tables {params.experiment} > {log} 2>&1"

    rule:
        name:
            f"fit_{experiment}"
        input:
            TARGETS.run_tables(experiment),
        output:
            TARGETS.fits(experiment),
        log:
            f"{LOGS}/fits/{experiment}.log",
        localrule: True
        params:
            identity=TARGETS.identity("fits"),
            experiment=experiment,
        shell:
            "exec python -m lrtransfer fit {params.experiment} > {log} 2>&1"


rule index:
    """Join the runs of all experiments in one table."""
    input:
        [file for name in PLAN.experiments for file in TARGETS.run_tables(name)],
    output:
        str(LAYOUT.index),
    log:
        f"{LOGS}/index.log",
    shell:
        "exec python -m lrtransfer index > {log} 2>&1"


rule ledger:
    """Join the claims of all experiments, and the metrics that DVC compares."""
    input:
        [file for name in PLAN.experiments for file in TARGETS.fits(name)],
    output:
        TARGETS.ledger,
    log:
        f"{LOGS}/ledger.log",
    shell:
        "exec python -m lrtransfer ledger > {log} 2>&1"
