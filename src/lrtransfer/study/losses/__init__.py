"""Enter by `cross_entropy.cross_entropy`: outputs (…, C), targets (…) -> mean over samples.

A loss is the file `losses/<name>.py` with a function named by `LOSS`.
"""
