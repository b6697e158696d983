"""Data looked over before training: copies, leaks, labels that are likely wrong, files that are broken.

from isometry.audit import audit
found = audit("pictures/")
found.write("audit/")
"""

from isometry.audit.audit import Audit, audit, origins
from isometry.audit.findings import KINDS, SEVERITIES, Finding
from isometry.audit.mislabels import Mislabels, mislabels

__all__ = ["KINDS", "SEVERITIES", "Audit", "Finding", "Mislabels", "audit", "mislabels", "origins"]
