"""A cell's key names all that decides its numbers, code of one's own included."""

import importlib.util
import sys

import pytest

from isometry.bench import cell as module
from isometry.bench.cell import Cell, Setting, own_code

CODE = "from isometry.losses import Contrastive\n\nclass Mine(Contrastive):\n    negative: float = {value}\n"


def keyed(loss):
    setting = Setting(loss=loss, sampler="Plain(batch_size=4)", head="Linear(dim=2)", head_lr=1e-3)
    return Cell(held="x", setting=setting, fold=0, seed=1).key


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """A loss of one's own in a file, and what changes it."""
    path, known = tmp_path / "mine.py", dict(module.names())

    def write(value):
        path.write_text(CODE.format(value=value))
        spec = importlib.util.spec_from_file_location("mine", path)
        made = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "mine", made)
        spec.loader.exec_module(made)
        known["Mine"] = made.Mine
        own_code.cache_clear()

    monkeypatch.setattr(module, "names", lambda: known)
    yield write
    own_code.cache_clear()


def test_changed_code_of_ones_own_is_another_cell(plugin):
    plugin(0.1)
    first, theirs = keyed("Mine()"), keyed("Contrastive()")
    plugin(0.2)
    assert keyed("Mine()") != first
    assert keyed("Contrastive()") == theirs
    plugin(0.1)
    assert keyed("Mine()") == first


def test_the_packages_own_components_need_no_code():
    assert own_code("Contrastive()", "Plain(batch_size=4)", "Linear(dim=2)") == ""


def test_a_text_that_means_another_thing_than_before_is_another_cell():
    assert own_code("Determinant()", "Plain(batch_size=4)", "Linear(dim=2)") != ""
    assert own_code("Contrastive() + 0.1 * Determinant(every=1)") == own_code("Determinant()")
