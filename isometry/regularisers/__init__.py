"""Terms that shape the space whatever the labels, and what they are made of."""

from .anisotropy import Anisotropy
from .between import Between, Either, Inter, Intra, Points, Real
from .determinant import Determinant
from .dueling import Dueling
from .estimates import Estimate, Exact, Lanczos
from .even_stretch import EvenStretch
from .koleo import KoLeo
from .lp import Lp
from .maps import head, model, second
from .quantisation import Quantisation
from .stretches import Frobenius, LargestStretch, SpectralNorm
from .vicreg import VICReg
from .volumes import Conditioned, Det, LocalVolume, LogDet, Spherical
from .zero_mean import ZeroMean

__all__ = ["Anisotropy", "Between", "Conditioned", "Det", "Determinant", "Dueling", "Either", "Estimate",
           "EvenStretch", "Exact", "Frobenius", "Inter", "Intra", "KoLeo", "Lanczos", "LargestStretch", "LocalVolume",
           "LogDet", "Lp", "Points", "Quantisation", "Real", "SpectralNorm", "Spherical", "VICReg", "ZeroMean", "head",
           "model", "second"]  # fmt: skip
