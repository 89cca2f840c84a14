"""One self-contained HTML page on a study: claims, figures, tables, costs. Imports no torch."""

from lrtransfer.study.report.report import ExperimentReport, Meta, ReportFigure, render

__all__ = ["ExperimentReport", "Meta", "ReportFigure", "render"]
