"""Enter by `experiment.Experiment`: tables of runs -> estimates -> claims -> ledger. No torch."""
