"""Enter by `run.TrainingRun`: one run, all science and no files; `sweep` is a job around it."""
