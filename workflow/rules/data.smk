# Data sets: read from their packages, checked against the pinned checksum, prepared once. Never in a cluster's
# queue: its nodes often have no network.
localrules:
    prepare_all,


rule prepare_all:
    input:
        TARGETS.datasets,


for dataset in PLAN.datasets:

    rule:
        name:
            f"prepare_{dataset.name}"
        output:
            TARGETS.dataset(dataset),
        log:
            f"{LOGS}/prepare/{dataset.name}.log",
        localrule: True
        params:
            name=dataset.name,
        shell:
            "exec python -m lrtransfer stage prepare {params.name} > {log} 2>&1"
