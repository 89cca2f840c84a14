"""Enter by `residual_mlp.ResidualMLP`: model families that know nothing of scaling rules.

A family is the file `models/<family>.py` with a class named by `MODEL`. Its constructor's
keyword arguments are the family's hyperparameters; `in_features`, `out_features`, `width` and
`depth` are filled in from the data set and the grid. `ROLES` are those of its tensors and
modules, `CASES` small nets that shared tests build, and `COORDINATE_CHECK` the `widths`,
`samples`, `depth` and `options` at which the coordinate check runs it.
"""
