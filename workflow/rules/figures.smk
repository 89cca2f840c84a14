# Figures and the report, from stored tables.
localrules:
    figures_all,
    report,


rule figures_all:
    input:
        TARGETS.all_figures,


for experiment in PLAN.experiments:

    rule:
        name:
            f"draw_{experiment}"
        input:
            TARGETS.run_tables(experiment),
            TARGETS.spectra_tables(experiment),
            TARGETS.fits(experiment),
        output:
            report(
                TARGETS.figures(experiment),
                caption="../report/figure.rst",
                category="Figures",
                subcategory=experiment,
            ),
        log:
            f"{LOGS}/figures/{experiment}.log",
        localrule: True
        params:
            identity=TARGETS.identity("figures", experiment),
            experiment=experiment,
        shell:
            "exec python -m lrtransfer draw {params.experiment} > {log} 2>&1"


rule report:
    """Write the self-contained report."""
    input:
        [file for name in PLAN.experiments for file in TARGETS.figures(name)],
        [file for name in PLAN.experiments for file in TARGETS.fits(name)],
        [file for name in PLAN.experiments for file in TARGETS.run_tables(name)],
    output:
        str(LAYOUT.report),
    log:
        f"{LOGS}/report.log",
    params:
        identity=TARGETS.identity("report"),
    shell:
        "exec python -m lrtransfer report > {log} 2>&1"
