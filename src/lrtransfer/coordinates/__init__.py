"""The coordinate check of any model; start at `coordinate_check.py`."""
