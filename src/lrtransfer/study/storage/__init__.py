"""Enter by `paths.Layout`: where results lie and how they are written and sealed. No torch."""
