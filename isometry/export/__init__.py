"""A model for other programs: ONNX, or torch's own exported program, each compared with the model before it is written."""

from isometry.export.parity import Parity
from isometry.export.precision import FLOAT32, HALF, INT8, PRECISIONS, Gate, Precision, precision
from isometry.export.writing import Failed, Written, write

__all__ = [
    "FLOAT32",
    "HALF",
    "INT8",
    "PRECISIONS",
    "Failed",
    "Gate",
    "Parity",
    "Precision",
    "Written",
    "precision",
    "write",
]
