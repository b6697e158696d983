"""A recipe: everything that decides a study, in one TOML file."""

import itertools
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError, model_validator

from isometry.api import wants_pairs
from isometry.bench import recipe_parts as parts
from isometry.bench.expressions import batch_size, check_pool, check_transform, check_trunk, dim_of, with_fields
from isometry.bench.recipe_parts import Card, MethodEntry, Section
from isometry.bench.recipe_text import said, toml, tuples
from isometry.bench.space import built, defaults_of, setting_of, space_of
from isometry.component import nearest
from isometry.expression import parse
from isometry.optimizers import read_optimizer
from isometry.schedules import read_schedule
from isometry.supervision import GRADED_BY, SELECTED_BY

__all__ = ["Card", "MethodEntry", "Recipe", "defaults_of", "read", "setting_of", "space_of"]


class Recipe(Section):
    """A study: data, folds, model, training, search, final trainings, metrics and methods.

    Two methods are added where no method has their loss: "tuned contrastive" and "tuned normalised softmax", which every
    other has to beat. `reference`, the method that the others are compared with, is the contrastive one unless named.
    `geometry`: a tested model is also measured by `isometry.diagnostics`.
    `relate`: what the labels say of pairs, given to losses, samplers and metrics ("": classes). Where it is a distance
    between labels, such as "joints", no method is added, `reference` is the first unless named, validation is measured
    by `selected_by`, and data without classes are divided by item. `similarity`: what embeddings are compared by.
    `any_dim`: methods may differ in the dimensions of the embedding.

    Raises:
        ValueError: for what does not fit together, in one line.
    """

    name: str
    about: str = ""
    data: parts.DataSection
    folds: parts.Folds = parts.Folds()
    model: parts.Model = parts.Model()
    train: parts.Train = parts.Train()
    search: parts.Search = parts.Search()
    final: parts.Final = parts.Final()
    metrics: str = "Recall(k=1), RPrecision(), MAPAtR()"
    metric: str = "MAPAtR()"
    reference: str = ""
    geometry: bool = False
    relate: str = ""
    similarity: str = "cosine"
    any_dim: bool = False
    controls: tuple[str, ...] = parts.CONTROLS
    methods: tuple[MethodEntry, ...] = ()
    cards: tuple[Card, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _with_mandatory(cls, given: Any) -> Any:
        return parts.with_mandatory(given) if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _fits(self) -> "Recipe":
        check_names(self)
        check_expressions(self)
        for entry in self.methods:
            try:
                check_method(self, entry)
            except ValueError as error:
                raise ValueError(f"method {entry.name!r}: {error}") from None
        check_streams(self)
        return self

    @property
    def selected_by(self) -> str:
        """The metric of the validation part that chooses steps and settings, the larger the better."""
        return GRADED_BY if parts.is_graded(self.relate) else SELECTED_BY

    def method(self, name: str) -> MethodEntry:
        """The method of this name.

        Raises:
            ValueError: when there is none, with the nearest.
        """
        known = {entry.name: entry for entry in self.methods}
        if name not in known:
            raise ValueError(f"{self.name} has no method {name!r}.{nearest(name, known)}")
        return known[name]

    def changed(self, **sections: Any) -> "Recipe":
        """A copy with other values, checked as if it had been read."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return made({**given, **sections}, self.name)

    def adding(self, loss: str, name: str = "") -> "Recipe":
        """The same study with one method more. A loss that compares with proxies of the classes alone gets batches drawn
        evenly, as the normalised softmax does; any other those of the study."""
        entry = MethodEntry(loss=loss, name=name)
        added = self.changed(methods=(*self.methods, entry))
        if wants_pairs(loss):
            return added
        evenly = entry.model_copy(update={"sampler": parts.plain(self.train.sampler)})
        return added.model_copy(update={"methods": (*self.methods, evenly)})

    def only(self, wanted: tuple[str, ...] | list[str]) -> "Recipe":
        """The same study with these methods alone, and the two that no study does without.

        Raises:
            ValueError: for a name that no method has.
        """
        graded = parts.is_graded(self.relate)
        chosen = {self.method(name).name for name in wanted} | {self.reference}
        kept = tuple(m for m in self.methods if m.name in chosen or (not graded and parts.is_mandatory(m.loss)))
        names = {m.name for m in kept}
        return self.changed(methods=kept, cards=tuple(c for c in self.cards if {c.method, c.twin} <= names))

    def shrunk(self) -> "Recipe":
        """The same study at the smallest size at which all of its code runs: two folds, one trial, one seed, two steps of
        four pictures, and no weights fetched. Its numbers mean nothing."""
        train = {"budget": "2 steps", "validations": 1, "patience": 0, "sampler": _small(self.train.sampler)}
        methods = tuple(m.model_copy(update={"sampler": _small(m.sampler)}) for m in self.methods)
        return self.changed(
            folds=self.folds.model_copy(update={"count": 2, "searched": 1, "tested": 2}),
            model=self.model.model_copy(update={"trunk": parts.not_fetched(self.model.trunk)}),
            train=self.train.model_copy(update=train),
            search=self.search.model_copy(update={"trials": 1, "round": 1, "rates": self.search.rates[:1]}),
            final=self.final.model_copy(update={"seeds": 1}),
            methods=methods,
        )

    def source(self, data_root: str | Path | None = None) -> str:
        """Where the data are read from: a folder that is relative in the recipe lies in `data_root`.

        Raises:
            FileNotFoundError: when there is nothing.
        """
        return parts.placed_in(self.data.source, data_root, self.name)

    def to_toml(self) -> str:
        """The text that `read` makes this recipe of."""
        return toml(self)


def read(path: str | Path) -> Recipe:
    """The recipe in a TOML file; its name is the file's unless it has one.

    Raises:
        FileNotFoundError, ValueError: one line that starts with the file's name.
    """
    path = Path(path)
    if not path.is_file():
        beside = [p.name for p in path.parent.glob("*.toml")] if path.parent.is_dir() else []
        raise FileNotFoundError(f"There is no recipe {path}.{nearest(path.name, beside)}")
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no TOML: {error}.") from None
    return made({"name": path.stem, **given}, str(path))


def made(given: dict[str, Any], source: str) -> Recipe:
    """A recipe from plain values; what is wrong with them is said in one line that starts with `source`."""
    try:
        return Recipe.model_validate(tuples(given))
    except ValidationError as error:
        raise ValueError(f"{source}: {said(error, Recipe)}") from None


def check_names(recipe: Recipe) -> None:
    """Refuses names that stand twice, or for nothing."""
    names = [entry.name for entry in recipe.methods]
    for what, given in (("method", names), ("control", list(recipe.controls))):
        for k, name in enumerate(given):
            if name in given[:k]:
                raise ValueError(f"Two {what}s are named {name!r}: give one of them another name.")
    for name in recipe.controls:
        if name not in parts.CONTROLS:
            choice = nearest(name, parts.CONTROLS) or f" There are {', '.join(parts.CONTROLS)}."
            raise ValueError(f"There is no control {name!r}.{choice}")
    for card in recipe.cards:
        for name in (card.method, card.twin):
            if name not in names:
                raise ValueError(f"The card of {card.system!r} names no method: {name!r}.{nearest(name, names)}")
    if recipe.reference not in names:
        raise ValueError(f"reference = {recipe.reference!r} is no method.{nearest(recipe.reference, names)}")


def check_expressions(recipe: Recipe) -> None:
    """Refuses expressions that stand for nothing, or for something else than the key wants."""
    check_trunk(recipe.model.trunk)
    dim_of(recipe.model.head)
    batch_size(recipe.train.sampler)
    train, model = recipe.train, recipe.model
    read_optimizer(train.optimizer)
    read_schedule(train.schedule)
    check_pool(model.pool)
    for text in (train.augment, train.transform):
        check_transform(text)
    if not hasattr(parse(recipe.similarity), "compare"):
        raise ValueError(
            f"similarity = {recipe.similarity!r} compares no embeddings. See `isometry list similarities`."
        )
    metrics = parse(f"({recipe.metrics},)")
    if repr(parse(recipe.metric)) not in map(repr, metrics):
        raise ValueError(f"metric = {recipe.metric!r} is not among metrics = {recipe.metrics!r}: add it there.")
    for name in ("head_lr", "trunk_lr", "loss_lr"):
        limits, first = getattr(recipe.search, name), getattr(train, name) or train.head_lr
        if limits and not 0 < limits[0] <= first <= limits[1]:
            raise ValueError(f"[search] {name} = {list(limits)} does not hold the first trial's, {first:g}: widen it.")


def check_method(recipe: Recipe, entry: MethodEntry) -> None:
    """Refuses what a method cannot be trained, or not be compared, with."""
    if entry.head and not recipe.any_dim and dim_of(entry.head) != dim_of(recipe.model.head):
        raise ValueError(f"its head has {dim_of(entry.head)} dimensions, the study's {dim_of(recipe.model.head)}.")
    if entry.sampler and batch_size(entry.sampler) != batch_size(recipe.train.sampler):
        raise ValueError(
            f"its sampler makes batches of {batch_size(entry.sampler)}, the study's of "
            f"{batch_size(recipe.train.sampler)}: a batch has the same size for all."
        )
    space_of(recipe, entry)


def check_streams(recipe: Recipe) -> None:
    """Refuses one method with streams so near that it would share seeds with itself: one of the search, then the finals'."""
    seeds = recipe.final.seeds
    for one, other in itertools.combinations(recipe.methods, 2):
        apart = abs(one.stream - other.stream)
        if 0 < apart <= seeds and _trained(recipe, one) == _trained(recipe, other):
            raise ValueError(
                f"{one.name!r} and {other.name!r} are one method with seeds {apart} apart, and each takes {seeds + 1}: they "
                "would share seeds. Give streams that are further apart, such as stream = 1000."
            )


def _trained(recipe: Recipe, entry: MethodEntry) -> tuple[str, str, str]:
    """What a method is, whatever it is called and however it is searched."""
    return repr(built(recipe, entry)), entry.sampler or recipe.train.sampler, entry.head or recipe.model.head


def _small(sampler: str) -> str:
    """The same sampler with batches of four."""
    four = {"batch_size": 4, "classes": 2, "instances": 2, "anchors": 1, "hard": 1, "neighbours": 1}
    return with_fields(sampler, four) if sampler else ""
