"""Controls: embeddings that no label has shaped. A loss that does not beat them has taught nothing.

Musgrave et al. (ECCV 2020) compare with the pretrained trunk, Fehervari et al. (2019) with an untrained one; projections of
the trunk's features to the head's size (random, principal components, whitened ones) tell what the size alone costs.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from isometry.bench.expressions import dim_of
from isometry.bench.features import Features, features
from isometry.bench.folds import TEST
from isometry.bench.study import Study
from isometry.data import Data
from isometry.embedder import Ready, pixels
from isometry.model import Embedder
from isometry.trunks import unfilled

CHUNK = 8192
SEED = 0
MOST = 8192
"""Features above which principal components are not had in reasonable time and memory."""
SMALL = 1e-6
"""Share of the largest variance that is added to all before whitening."""


def controls(study: Study) -> dict[str, Float[Tensor, "t d"]]:
    """Embeddings of the test part, by name, as the recipe asks for them.

    - "raw pixels": pictures squeezed to 32 × 32.
    - "untrained trunk": the pooled features of the trunk with random weights; the whole untrained model, head included,
      where a recipe trains a trunk from scratch.
    - "pretrained trunk": the pooled features of the trunk with its published weights.
    - "random linear": these, by a Gaussian matrix, in as many dimensions as the head gives.
    - "PCA", "whitening": unit features on their first principal components over the training classes, as many as the head
      has dimensions; whitened: each divided by its standard deviation.

    What makes no sense for the recipe is left out: "pretrained trunk" where there are no published weights, and projections
    where a trunk is trained from scratch. Nothing depends on a fold or on the seeds of trainings.

    Raises:
        ValueError: when no test picture can be read.
    """
    made = {name: make(study) for name, make in _makers(study).items() if name in study.recipe.controls}
    return {name: made[name] for name in study.recipe.controls if name in made}


def _makers(study: Study) -> dict[str, Callable[[Study], Tensor]]:
    scratch = not study.weights.published and study.features is None
    found: dict[str, Callable[[Study], Tensor]] = {"raw pixels": _pixels}
    found["untrained trunk"] = _untrained_model if scratch else _untrained_trunk
    if study.weights.published:
        found["pretrained trunk"] = _pretrained
    if not scratch:
        found["random linear"] = _random
    if not scratch and study.weights.features <= MOST:
        found |= {"PCA": _components, "whitening": _whitened}
    return found


def _pixels(study: Study) -> Tensor:
    z, index = pixels(study.test, study.weights.channels)
    return _of_all(z, index, study.test)


def _untrained_model(study: Study) -> Tensor:
    model, train = study.recipe.model, study.recipe.train
    with torch.random.fork_rng(devices=[]), unfilled():
        torch.manual_seed(SEED)
        ready = Ready(Embedder.parse(model.trunk, model.pool, model.head), train.transform)
    return _of_all(*ready.embed(study.test), study.test)


def _untrained_trunk(study: Study) -> Tensor:
    model, train = study.recipe.model, study.recipe.train
    return _rows(features(study.test, model.trunk, model.pool, train.transform, study.cache, untrained=True))


def _pretrained(study: Study) -> Tensor:
    rows, at = _trunk(study)
    return rows[at[study.division.fold == TEST]]


def _random(study: Study) -> Tensor:
    z = _pretrained(study)
    generator = torch.Generator().manual_seed(SEED)
    return z @ torch.randn(z.shape[1], dim_of(study.recipe.model.head), generator=generator) / z.shape[1] ** 0.5


def _components(study: Study) -> Tensor:
    return _projected(study, lambda variance: torch.ones_like(variance))


def _whitened(study: Study) -> Tensor:
    return _projected(study, lambda variance: (variance + SMALL * variance.max()).rsqrt())


def _projected(study: Study, scale: Callable[[Tensor], Tensor]) -> Tensor:
    """Test features on the principal components of the training side, each scaled by what its variance says."""
    rows, at = _trunk(study)
    mean, axes, variance = principal(rows, at[study.division.fold != TEST], dim_of(study.recipe.model.head))
    test = functional.normalize(_pretrained(study), dim=1)
    return (test - mean) @ (axes * scale(variance))


def principal(
    rows: Float[Tensor, "n p"], at: Int64[Tensor, " k"], dim: int
) -> tuple[Float[Tensor, " p"], Float[Tensor, "p d"], Float[Tensor, " d"]]:
    """Mean, first principal axes and their variances of the rows at `at`, brought to length 1.

    The covariance is added up over chunks, in float64.
    """
    p = rows.shape[1]
    total, products = torch.zeros(p, dtype=torch.float64), torch.zeros(p, p, dtype=torch.float64)
    for some in at.split(CHUNK):
        x = functional.normalize(rows[some], dim=1).double()
        total += x.sum(0)
        products += x.T @ x
    mean = total / len(at)
    variance, axes = torch.linalg.eigh(products / len(at) - torch.outer(mean, mean))
    dim = min(dim, p)
    return mean.float(), axes[:, -dim:].flip(1).float(), variance[-dim:].flip(0).clamp_min(0).float()


def _trunk(study: Study) -> tuple[Float[Tensor, "n p"], Int64[Tensor, " k"]]:
    """Pooled features of the trunk as it comes, and the row of each picture of the data."""
    model, train = study.recipe.model, study.recipe.train
    if study.features is not None:
        return study.features.rows, study.features.readable
    made = features(study.data, model.trunk, model.pool, train.transform, study.cache)
    return _rows(made), made.readable


def _rows(made: Features) -> Tensor:
    """The features of all pictures.

    Raises:
        ValueError: when some could not be read: they would be compared on other pictures than the methods.
    """
    if made.unreadable:
        raise ValueError(f"{len(made.unreadable)} pictures cannot be read, such as {made.unreadable[0]}.")
    return made.rows


def _of_all(z: Tensor, index: Tensor, data: Data) -> Tensor:
    if len(index) < len(data):
        raise ValueError(
            f"{len(data) - len(index)} pictures of {data.name} cannot be read: repair them or leave them out."
        )
    return z
