"""Enter by `parameterize.parameterize`: tables of exponents -> init and rates of each tensor."""
