"""Statistics over runs: optimum per size, drift, regret, consistency, trends, claims. No torch."""
