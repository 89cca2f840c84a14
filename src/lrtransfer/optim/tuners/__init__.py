"""Enter by `tuner.Tuner`: optimizers that choose their own learning rate.

A tuner wraps any optimizer of torch, whose update at learning rate 1 is the direction u; the
tuner decides how far to go along it. It is the file `optim/tuners/<name>.py` with a class named
by `TUNER`; its keyword-only arguments are its options. `PRICE` says about how many gradient
evaluations a step costs.
"""
