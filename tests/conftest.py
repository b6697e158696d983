"""Shapes are types: jaxtyping annotations of the package are checked at run time, in the tests only."""

from jaxtyping import install_import_hook

import tests.typecheck  # noqa: F401  (the hook finds it by name)

install_import_hook("isometry", "tests.typecheck.check")

import gc  # noqa: E402

import pytest  # noqa: E402
import torch  # noqa: E402


def pytest_collection_finish():
    """Modules and tests stay to the end: no collection of garbage need look through them again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(torch.float32)
