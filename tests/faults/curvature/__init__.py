"""Hostile models, losses, batches and moments for the curvature library."""
