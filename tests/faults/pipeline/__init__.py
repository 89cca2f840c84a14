"""Damage to what the study keeps on disk."""
