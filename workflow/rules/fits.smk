# From runs to the index, from the index to optima, drifts, exponents and claims.
localrules:
    fits_all,


rule fits_all:
    input:
        TARGETS.index,
        TARGETS.all_fits,


rule index:
    """Read and verify every run; one row per run, and the thinned curves."""
    input:
        ancient(TARGETS.runs),
    output:
        TARGETS.index,
    log:
        f"{LOGS}/index.log",
    params:
        identity=IDENTITY["index"],
    shell:
        "exec python -m lrtransfer index > {log} 2>&1"


for experiment in PLAN.experiments:

    rule:
        name:
            f"fit_{experiment}"
        input:
            TARGETS.index,
        output:
            TARGETS.fits(experiment),
        log:
            f"{LOGS}/fits/{experiment}.log",
        params:
            identity=IDENTITY["fits"],
            experiment=experiment,
        shell:
            "exec python -m lrtransfer fit {params.experiment} > {log} 2>&1"


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
