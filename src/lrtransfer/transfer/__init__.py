"""From a table of runs to optima, drifts, regrets, laws and predictions. Imports no torch."""
