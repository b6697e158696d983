"""The page of a study: one self-contained HTML file that opens offline."""

from .page import render as render
from .page import write_page as write_page
