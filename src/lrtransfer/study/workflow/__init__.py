"""The study as commands: stages, the entry point around Snakemake, and the care of results."""
