"""Enter by `job.compute_spectra`: curvature of stored checkpoints, without retraining."""
