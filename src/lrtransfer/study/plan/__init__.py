"""Enter by `expand.plan`: params.yaml and claims.yaml -> typed study -> runs and keys. No torch."""
