"""A run trained by several processes of a machine, each with a part of every batch."""
