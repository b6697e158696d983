"""A study, opened: data, folds, features, and all that is held constant, in words and as a hash."""

import functools
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from isometry.bench.cell import own_code
from isometry.bench.expressions import batch_size, dim_of
from isometry.bench.features import Features, Weights, features, silent, weights_of
from isometry.bench.folds import Division, divided
from isometry.bench.recipe_parts import is_graded
from isometry.data import Data, Splits, read
from isometry.data.transforms import Same
from isometry.embedder import relabelled
from isometry.evaluation import Embeddings, measure
from isometry.expression import parse
from isometry.protocols.retrieval import Results
from isometry.supervision import SELECTED_BY, relation

if TYPE_CHECKING:
    from isometry.bench.recipe import Recipe


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """One fold, as a head is trained on it: rows are positions in the matrix of features.

    Attributes: train: with classes numbered 0 … classes − 1. validation: as it is measured.
    """

    train: Data
    classes: int
    train_rows: Int64[Tensor, " n"]
    validation: Data
    validation_rows: Int64[Tensor, " k"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """What all cells of a recipe share.

    Attributes:
        recipe; cache: the folder of features.
        data: all pictures; of a frozen trunk, those that can be read. division: folds and test part.
        weights: of the trunk. features: made by a frozen trunk once; None where pictures are augmented or the trunk is
            trained.
        held: what is held constant, name to value, in words.
    """

    recipe: "Recipe"
    cache: Path
    data: Data
    division: Division
    weights: Weights
    features: Features | None
    held: dict[str, str]

    @classmethod
    def open(
        cls,
        recipe: "Recipe",
        *,
        data_root: Path | None = None,
        cache: Path,
        data: Any = None,
        say: Callable[[str], None] = silent,
    ) -> "Study":
        """Reads the data, cuts the folds, and makes the features of a frozen trunk unless they lie in `cache`.

        Args:
            data_root: the folder that a relative one in the recipe's source starts from.
            data: what is read in place of the source, such as arrays. say: is told how far the features are.

        Raises:
            ValueError, FileNotFoundError: for data that do not fit the recipe, in one line.
        """
        model, train = recipe.model, recipe.train
        found = read(recipe.source(data_root) if data is None else data, label=recipe.data.label)
        weights, made = weights_of(model.trunk, model.pool, cache), None
        if head_only(recipe):
            if train.precision != "no":
                raise ValueError(
                    f"A head is trained on features in float32: write precision = 'no', not {train.precision!r}."
                )
            made = features(found, model.trunk, model.pool, train.transform, cache, say=say)
            if made.unreadable:
                found = found.select(made.readable)
        graded = is_graded(recipe.relate)
        division = divided(found, recipe.folds.count, recipe.folds.windows, by_item=graded)
        return cls(
            recipe=recipe,
            cache=cache,
            data=found,
            division=division,
            weights=weights,
            features=made,
            held=held_words(recipe, found, division, weights),
        )

    @functools.cached_property
    def held_hash(self) -> str:
        """Names all that is held constant: part of every cell's key."""
        return hashlib.sha256(json.dumps(self.held, sort_keys=True).encode()).hexdigest()[:24]

    @functools.cached_property
    def test(self) -> Data:
        """The test part."""
        return self.division.test(self.data)

    @functools.cached_property
    def relate(self) -> Any:
        """What the labels say of pairs; None for classes."""
        return relation(self.recipe.relate)

    def measured(self, z: Float[Tensor, "n d"], data: Data, metrics: str) -> Results:
        """Metrics of embeddings of `data`, by the study's relation and similarity, without intervals."""
        how = {"relate": self.relate, "similarity": parse(self.recipe.similarity)}
        return measure(Embeddings(z, data), metrics, samples=0, **how)

    def splits(self, fold: int) -> Splits:
        """The parts of a fold."""
        return self.division.splits(self.data, fold)

    @functools.cached_property
    def rows(self) -> Float[Tensor, "n p"]:
        """The features, on the device that trains."""
        if self.features is None:
            raise ValueError(f"{self.recipe.name} trains on pictures: it has no features.")
        return self.features.rows.to(device())

    @functools.cached_property
    def test_rows(self) -> Int64[Tensor, " t"]:
        """The test part's rows of the features."""
        return self._rows_of(self.division.positions(0)[2])

    def part(self, fold: int) -> Part:
        """A fold, as a head is trained on it; made once."""
        if fold not in self._parts:
            splits, (at, held_out, _) = self.splits(fold), self.division.positions(fold)
            train, classes = relabelled(splits.train)
            self._parts[fold] = Part(
                train=train,
                classes=classes,
                train_rows=self._rows_of(at),
                validation=splits.validation,
                validation_rows=self._rows_of(held_out),
            )
        return self._parts[fold]

    @functools.cached_property
    def _parts(self) -> dict[int, Part]:
        return {}

    def _rows_of(self, positions: Tensor) -> Tensor:
        return (positions if self.features is None else self.features.readable[positions]).to(device())


def device() -> torch.device:
    """Where trainings run."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def head_only(recipe: "Recipe") -> bool:
    """Whether a head is trained on features that never change: the trunk is frozen, the pool has no weights, and
    pictures are not augmented.
    """
    unchanged = isinstance(parse(recipe.train.augment), Same)
    return recipe.model.frozen and unchanged and not list(parse(recipe.model.pool).parameters())


def held_words(recipe: "Recipe", data: Data, division: Division, weights: Weights) -> dict[str, str]:
    """What is held constant over all cells of a study."""
    model, train = recipe.model, recipe.train
    fixed, classes = weights.published or head_only(recipe), recipe.selected_by == SELECTED_BY
    texts = (model.trunk, model.pool, train.transform, train.augment, train.optimizer, train.schedule)
    own = own_code(*texts, *filter(None, (recipe.relate, recipe.similarity)))
    return {
        **({"own code": own} if own else {}),
        "data": f"{str(data).strip('<>')}, {data.fingerprint()[:16]}",
        "labels": recipe.data.label,
        "division": f"{division.rule}, {division.digest}",
        "trunk": f"{model.trunk}, {f'weights {weights.digest}' if fixed else 'random weights, by seed'}",
        "trunk's part in training": "frozen" if model.frozen else "trained",
        "pool": model.pool,
        "embedding": f"{dim_of(model.head)} dimensions" + ", unless a method says otherwise" * recipe.any_dim,
        "transform": train.transform,
        "augmentation": train.augment,
        "batch": f"{batch_size(train.sampler)} images",
        "budget": train.budget,
        "optimiser": train.optimizer,
        "schedule": train.schedule,
        "weight decay": f"{train.weight_decay:g}",
        "warm-up": f"{train.warmup:g} of the budget",
        "largest gradient": f"{train.clip:g}" if train.clip else "any",
        "moving average": f"{train.ema:g}" if train.ema else "none",
        "validation": f"{train.validations} times, by {'MAP@R' if classes else recipe.selected_by}",
        "patience": f"{train.patience} validations" if train.patience else "the whole budget",
        "precision": "float32" if train.precision == "no" else train.precision,
        "threads": str(train.threads),
        **({"geometry": "training classes of the fold beside the test part"} if recipe.geometry else {}),
        **({"relation of labels": recipe.relate} if recipe.relate else {}),
        **({"similarity": recipe.similarity} if recipe.similarity != "cosine" else {}),
    }
