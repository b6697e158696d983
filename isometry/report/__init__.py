"""The report of a run: one self-contained HTML page that opens offline.

from isometry import report
report.write(report.Record(...), "runs/demo/report.html")
"""

from .page import render as render
from .page import write as write
from .record import Items as Items
from .record import Record as Record
