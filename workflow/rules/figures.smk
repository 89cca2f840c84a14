# Figures and the report, from stored tables.
localrules:
    figures_all,
    report,


rule figures_all:
    input:
        TARGETS.each(TARGETS.figures),
        TARGETS.each(TARGETS.figures_sums),
        str(LAYOUT.report),


for experiment in PLAN.experiments:

    rule:
        name:
            f"draw_{experiment}"
        input:
            TARGETS.run_tables(experiment),
            TARGETS.spectra_tables(experiment),
            TARGETS.estimates(experiment),
        output:
            report(
                TARGETS.figures(experiment),
                caption="../report/figure.rst",
                category="Figures",
                subcategory=experiment,
            ),
            TARGETS.figures_sums(experiment),
        log:
            f"{LOGS}/figures/{experiment}.log",
        localrule: True
        params:
            identity=TARGETS.identity("figures", experiment),
            experiment=experiment,
        shell:
            "exec python -m lrtransfer stage draw {params.experiment} > {log} 2>&1"


rule report:
    """Write the self-contained report."""
    input:
        TARGETS.each(TARGETS.figures),
        TARGETS.each(TARGETS.figures_sums),
        TARGETS.each(TARGETS.run_tables),
        TARGETS.each(TARGETS.estimates),
        TARGETS.ledger,
    output:
        str(LAYOUT.report),
    log:
        f"{LOGS}/report.log",
    params:
        identity=TARGETS.identity("report"),
    shell:
        "exec python -m lrtransfer stage report > {log} 2>&1"
