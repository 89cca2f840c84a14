"""Enter by `workflow.commands.run`: params.yaml -> runs, estimates, claims, figures."""
