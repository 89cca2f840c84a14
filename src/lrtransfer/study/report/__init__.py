"""Enter by `report.render`: one self-contained HTML page on a study. Imports no torch."""
