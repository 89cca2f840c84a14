"""Enter by `sweeps.sweeps`: a table of runs -> optima, drifts, regrets, predictions. No torch."""
