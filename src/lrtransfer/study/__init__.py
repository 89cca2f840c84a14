"""The study of the three papers: params.yaml in, runs, estimates, claims and figures out."""
