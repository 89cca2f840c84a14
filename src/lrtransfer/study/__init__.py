"""Enter by `workflow.commands.workflow`: params.yaml -> runs, estimates, claims, figures."""
