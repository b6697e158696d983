"""Metrics: what a search in the embedding space is worth, as values that parse."""

from .asi import ASI
from .clustering import AMI, ARI, NMI, ClusterF1
from .cmc import CMC
from .csg import CSG, BallVolume, BoxVolume, NoVolume
from .density import DensityRatio, InterDensity, IntraDensity
from .gain import AffinityGain, DistanceGain, ExponentialGain
from .hierarchical_ap import HierarchicalAP
from .hit_rate import HitRate
from .hubness import Antihubs, Hubness, RobinHood
from .intrinsic_dimension import LevinaBickel, TwoNN
from .label_distance import LabelDistance
from .map import MAP
from .map_at_r import MAPAtR
from .minp import MINP
from .mrr import MRR
from .ndcg import NDCG
from .open_set import DIR, FNIR
from .precision import Precision
from .r_precision import RPrecision
from .radius import ClassRadius, ClassSpread
from .recall import Recall
from .separation import ClassGap, Separated, WorstGap
from .share_found import ShareFound
from .spectrum import PCF, EffectiveRank, SpectralDecay
from .triplet_accuracy import TripletAccuracy
from .uniformity import Alignment, Uniformity
from .verification import AUROC, EER, FNMR, TAR, AveragePrecisionOfPairs, VerificationAccuracy

__all__ = [
    "AMI",
    "ARI",
    "ASI",
    "AUROC",
    "CMC",
    "CSG",
    "DIR",
    "EER",
    "FNIR",
    "FNMR",
    "MAP",
    "MINP",
    "MRR",
    "NDCG",
    "NMI",
    "PCF",
    "TAR",
    "AffinityGain",
    "Alignment",
    "Antihubs",
    "AveragePrecisionOfPairs",
    "BallVolume",
    "BoxVolume",
    "ClassGap",
    "ClassRadius",
    "ClassSpread",
    "ClusterF1",
    "DensityRatio",
    "DistanceGain",
    "EffectiveRank",
    "ExponentialGain",
    "HierarchicalAP",
    "HitRate",
    "Hubness",
    "InterDensity",
    "IntraDensity",
    "LabelDistance",
    "LevinaBickel",
    "MAPAtR",
    "NoVolume",
    "Precision",
    "RPrecision",
    "Recall",
    "RobinHood",
    "Separated",
    "ShareFound",
    "SpectralDecay",
    "TripletAccuracy",
    "TwoNN",
    "Uniformity",
    "VerificationAccuracy",
    "WorstGap",
]
