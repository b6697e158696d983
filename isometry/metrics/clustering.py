"""Does k-means find the classes? The agreement of clusters with labels, in four measures.

NMI: Strehl and Ghosh, JMLR 2002. AMI: Vinh, Epps and Bailey, JMLR 2010. ARI: Hubert and Arabie, J. Classification 1985.
Pairwise F1: Manning, Raghavan and Schütze, "Introduction to information retrieval", 2008, §16.3.
"""

from abc import abstractmethod

import torch

from isometry.metrics.items import classes, mapped
from isometry.metrics.statistic import Estimate, Space, Statistic
from isometry.ops import contingency
from isometry.ops.cluster import kmeans
from isometry.ops.contingency import Contingency
from isometry.ops.seeds import t_interval


class Clustering(Statistic):
    """Agreement of k-means clusters with classes, from several starts of k-means."""

    k: int | None = None
    """Number of clusters; as many as there are classes unless given."""
    seeds: int = 5
    """How often k-means is run, each time from other items."""

    def __post_init__(self) -> None:
        if self.seeds < 1 or (self.k is not None and self.k < 1):
            raise ValueError(f"{self!r} makes no clusters: k and seeds are 1 or more.")

    @abstractmethod
    def agreement(self, counts: Contingency) -> float:
        """How well the clusters agree with the classes."""

    def measure(self, space: Space) -> Estimate:
        values = [self.agreement(self.counts(space, seed)) for seed in range(self.seeds)]
        runs = torch.tensor(values, dtype=torch.float64)
        return Estimate(float(runs.mean()), *t_interval(runs, space.confidence))

    def counts(self, space: Space, seed: int) -> Contingency:
        """Of one start; shared by all that ask for as many clusters."""
        found = classes(space, type(self).__name__, least=2)
        k = len(found.size) if self.k is None else self.k
        if k > len(found.y):
            raise ValueError(f"{self!r} makes {k:,} clusters of {len(found.y):,} items: k is at most their number.")

        def run() -> Contingency:
            x = mapped(space)[found.rows]
            return contingency.contingency(kmeans(x, k, seed=space.seed + seed, memory=space.memory), found.y)

        return space.once(("clusters", k, seed), run)


class NMI(Clustering):
    """How much do clusters tell about classes? Normalised mutual information, in [0, 1].

    2 I(K; Y) / (H(K) + H(Y)), for clusters K that k-means finds among the embeddings as the similarity sees them (at
    length one for the cosine), and classes Y. It is not corrected for chance: dealing 60,000 items to 15,000 clusters at
    random gives 0.84, and to 100 clusters 0.02. So it compares models on one data set at best; `AMI()` is 0 by chance.

    Items of unknown class (−1) are left out. The value is the mean over starts of k-means, and the interval Student's over
    them: it says what another start would change, not what other classes would. Time grows with n · k · d; the
    four measures of agreement share one clustering.

    >>> from isometry.ops.contingency import contingency
    >>> clusters, classes = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 1, 2])
    >>> round(NMI().agreement(contingency(clusters, classes)), 4)
    0.8
    """

    def agreement(self, counts: Contingency) -> float:
        return contingency.normalized_mutual_information(counts)


class AMI(Clustering):
    """How much more do clusters tell about classes than chance? Adjusted mutual information, at most 1.

    (I − E[I]) / ((H(K) + H(Y))/2 − E[I]), where E[I] is the mean over all ways to deal the items to clusters and classes
    of these sizes. 0 on average for random labels, however many clusters; below 0 where clusters are worse than
    chance. Clusters, items and interval as in `NMI`.

    >>> from isometry.ops.contingency import contingency
    >>> clusters, classes = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 1, 2])
    >>> round(AMI().agreement(contingency(clusters, classes)), 4)
    0.5714
    """

    def agreement(self, counts: Contingency) -> float:
        return contingency.adjusted_mutual_information(counts)


class ARI(Clustering):
    """Do clusters and classes put the same pairs together, beyond chance? Adjusted Rand index, at most 1.

    (A − E[A]) / ((A_K + A_Y)/2 − E[A]), with A pairs together in both, A_K in clusters, A_Y in classes and
    E[A] = A_K A_Y / all pairs. 0 on average for random labels. It counts pairs, so large classes decide it; `AMI`
    counts items. Clusters, items and interval as in `NMI`.

    >>> from isometry.ops.contingency import contingency
    >>> clusters, classes = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 1, 2])
    >>> round(ARI().agreement(contingency(clusters, classes)), 4)
    0.5714
    """

    def agreement(self, counts: Contingency) -> float:
        return contingency.adjusted_rand_index(counts)


class ClusterF1(Clustering):
    """Are pairs of one cluster of one class, and the other way round? F1 over pairs, in [0, 1].

    2PR / (P + R), with P the share of pairs of one cluster that are of one class, and R the share of pairs of one class
    that are in one cluster. Not corrected for chance (one cluster
    that holds everything has R = 1), and decided by large classes. The code of Roth et al. (ICML 2020)
    prints another F1: it first names each cluster after the class of its medoid. Clusters, items and
    interval as in `NMI`.

    >>> from isometry.ops.contingency import contingency
    >>> clusters, classes = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 1, 2])
    >>> round(ClusterF1().agreement(contingency(clusters, classes)), 4)
    0.6667
    """

    def agreement(self, counts: Contingency) -> float:
        return contingency.pairwise_f1(counts)
