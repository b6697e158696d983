"""Published losses: one file each, an equation on (similarity, relation)."""

from .angular import Angular
from .arc_face import ArcFace
from .blackbox_ap import BlackboxAP
from .both import Both
from .circle import Circle
from .contrastive import Contrastive
from .cos_face import CosFace
from .damlrrm import DAMLRRM
from .decoupled_contrastive import DecoupledContrastive
from .dense_triplet import DenseTriplet
from .discriminative import Discriminative
from .distance_weighted import DistanceWeighted
from .dynamic_soft_margin import DynamicSoftMargin
from .each_branch import EachBranch
from .easy_positive import EasyPositive, EasyPositiveSemiHard
from .fast_ap import FastAP
from .general_pair_weighting import BinomialDevianceWeights, GeneralPairWeighting, LiftedWeights, MultiSimilarityWeights
from .happier import HAPPIER
from .histogram import Histogram
from .instance import Instance
from .intra_pair_variance import IntraPairVariance
from .invariant_spread import InvariantSpread
from .lifted_structure import GeneralizedLiftedStructure, LiftedStructure
from .log_ratio import LogRatio
from .margin import Margin
from .matryoshka import Matryoshka
from .multi_similarity import MultiSimilarity
from .n_pair import NPair
from .nca import NCA
from .non_isotropy import NonIsotropy
from .norm_softmax import NormSoftmax
from .nt_xent import NTXent
from .on_branch import OnBranch
from .one_anchor import OneAnchor
from .p2s_grad import P2SGrad
from .pnp import PNP, PNPO, PNPDq, PNPDs, PNPIb, PNPIu
from .potential_field import PotentialField
from .precision_at_k import PrecisionAtK
from .proxy_anchor import ProxyAnchor
from .proxy_nca import ProxyNCA
from .proxy_nca_plus_plus import ProxyNCAPlusPlus
from .ranked_list import RankedList, RankedListSimple
from .ratio import Ratio
from .recall_at_k import RecallAtK
from .relational_distillation import RelationalDistillation
from .roadmap import ROADMAP, UpperBound
from .s2sd import S2SD
from .select import AllTriplets, Hardest, SemiHard
from .selectively_contrastive import SelectivelyContrastive
from .similarity_distillation import SimilarityDistillation
from .smooth_ap import SmoothAP
from .soft import Soft
from .soft_margin import SoftMargin
from .soft_triple import SoftTriple
from .sphere_face import SphereFace
from .spline_weights import SplineWeights
from .step import Heaviside, Sigmoid
from .sub_center_arc_face import SubCenterArcFace
from .sup_con import SupCon
from .threshold_consistent_margin import ThresholdConsistentMargin
from .triplet import Triplet
from .tuplet_margin import TupletMargin

__all__ = ["DAMLRRM", "HAPPIER", "NCA", "PNP", "PNPO", "ROADMAP", "S2SD", "AllTriplets", "Angular", "ArcFace",
           "BinomialDevianceWeights", "BlackboxAP", "Both", "Circle", "Contrastive", "CosFace", "DecoupledContrastive",
           "DenseTriplet", "Discriminative", "DistanceWeighted", "DynamicSoftMargin", "EachBranch", "EasyPositive",
           "EasyPositiveSemiHard", "FastAP", "GeneralPairWeighting", "GeneralizedLiftedStructure", "Hardest", "Heaviside",
           "Histogram", "Instance", "IntraPairVariance", "InvariantSpread", "LiftedStructure", "LiftedWeights", "LogRatio",
           "Margin", "Matryoshka", "MultiSimilarity", "MultiSimilarityWeights", "NPair", "NTXent", "NonIsotropy", "NormSoftmax",
           "OnBranch", "OneAnchor", "P2SGrad", "PNPDq", "PNPDs", "PNPIb", "PNPIu", "PotentialField", "PrecisionAtK",
           "ProxyAnchor", "ProxyNCA", "ProxyNCAPlusPlus", "RankedList", "RankedListSimple", "Ratio", "RecallAtK",
           "RelationalDistillation", "SelectivelyContrastive", "SemiHard", "Sigmoid", "SimilarityDistillation", "SmoothAP",
           "Soft", "SoftMargin", "SoftTriple", "SphereFace", "SplineWeights", "SubCenterArcFace", "SupCon",
           "ThresholdConsistentMargin", "Triplet", "TupletMargin", "UpperBound"]  # fmt: skip
