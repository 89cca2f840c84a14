"""Enter by `commands.workflow`: commands, stages around Snakemake, the care of results."""
