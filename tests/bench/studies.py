"""Studies of a second: digits in twenty classes, a head on the features of an untrained trunk, or all of it trained."""

from isometry.bench.cell import Cell, Setting
from isometry.bench.recipe import made
from isometry.bench.study import Study
from tests.small import digits

TRUNK = "ConvNet(widths=(8, 16), size=8)"


def recipe(*, frozen=True, folds=None, trunk=TRUNK, pool="Flatten()", **train):
    settings = {"sampler": "ClassesTimesInstances(classes=4, instances=4)", "budget": "12 steps", "validations": 3}
    return made(
        {
            "name": "digits",
            "data": {"source": "digits"},
            "folds": {"count": 2, **(folds or {})},
            "model": {"trunk": trunk, "pool": pool, "head": "Linear(dim=8)", "frozen": frozen},
            "train": {**settings, **train},
        },
        "the test's recipe",
    )


def opened(cache, *, data=None, **settings):
    return Study.open(recipe(**settings), cache=cache, data=digits(per_class=8) if data is None else data)


def cell(study, loss="Contrastive()", *, fold=0, seed=0, tested=True, lr=3e-3, **changed):
    train = study.recipe.train
    setting = {"sampler": train.sampler, "head": study.recipe.model.head, "head_lr": lr, "loss_lr": lr, **changed}
    return Cell(held=study.held_hash, setting=Setting(loss=loss, **setting), fold=fold, seed=seed, tested=tested)


__all__ = ["TRUNK", "cell", "opened", "recipe"]
