"""Runs in one table: values with intervals, differences from the first run, and how far chance explains them."""

from isometry.comparison.comparison import Comparison, compare
from isometry.comparison.table import Row, form_of
from isometry.queries import read_queries

__all__ = ["Comparison", "Row", "compare", "form_of", "read_queries"]
