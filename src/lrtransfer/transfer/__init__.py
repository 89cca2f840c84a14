"""Enter by `judge.judge`: a table of runs -> optima, drifts, regrets, predictions. No torch."""
