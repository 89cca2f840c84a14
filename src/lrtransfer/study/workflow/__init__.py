"""Enter by `commands.run`: commands, stages around Snakemake, the care of results."""
