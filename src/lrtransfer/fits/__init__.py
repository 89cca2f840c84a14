"""Statistics over runs: optimum per width, drift, regret, consistency, trends, claims. No torch."""
