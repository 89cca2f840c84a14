"""The measures of claims by subject; each function is one (`lrtransfer.study.evidence.measure`)."""
