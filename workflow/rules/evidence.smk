# From runs and spectra to tables, from tables to estimates, from estimates to claims.
# On a cluster they run beside Snakemake: seconds each, not worth a place in the queue.
localrules:
    evidence_all,
    ledger,


rule evidence_all:
    input:
        TARGETS.each(TARGETS.run_tables),
        TARGETS.each(TARGETS.spectra_tables),
        TARGETS.each(TARGETS.estimates),
        TARGETS.ledger,


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
            "exec python -m lrtransfer stage tables {params.experiment} > {log} 2>&1"

    rule:
        name:
            f"estimate_{experiment}"
        input:
            TARGETS.run_tables(experiment),
        output:
            TARGETS.estimates(experiment),
        log:
            f"{LOGS}/estimates/{experiment}.log",
        localrule: True
        params:
            identity=TARGETS.identity("estimates"),
            experiment=experiment,
        shell:
            "exec python -m lrtransfer stage estimates {params.experiment} > {log} 2>&1"

    if TARGETS.spectra_tables(experiment):

        rule:
            name:
                f"spectra_table_{experiment}"
            input:
                ancient(TARGETS.of(experiment).spectra),
            output:
                TARGETS.spectra_tables(experiment),
            log:
                f"{LOGS}/spectra_tables/{experiment}.log",
            localrule: True
            params:
                identity=TARGETS.of(experiment).identity("spectra_table"),
                experiment=experiment,
            shell:
                "exec python -m lrtransfer stage spectra-table {params.experiment} > {log} 2>&1"


rule ledger:
    """Judge the claims on all that is estimated, and write the metrics that DVC compares."""
    input:
        TARGETS.all_estimates,
    output:
        TARGETS.ledger,
    log:
        f"{LOGS}/ledger.log",
    params:
        identity=TARGETS.identity("ledger"),
    shell:
        "exec python -m lrtransfer stage ledger > {log} 2>&1"
