"""Spectra of stored checkpoints: curvature after training, without retraining."""
