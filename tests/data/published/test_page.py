"""The page on published data sets says what the readers check."""

from pathlib import Path

import pytest

from isometry.data.published import BENCHMARKS

PAGE = (Path(__file__).parents[3] / "docs" / "datasets.md").read_text()


def entry(name):
    """What the page calls a data set; the levels of DyML share a line."""
    return f"`{'_'.join(name.split('_')[:2])}_…`" if name.startswith("dyml_") else f"`{name}`"


FAMILIES = (
    "cub", "cars", "sop", "in_shop", "inat2018", "roxford", "rparis", "gldv2", "dyml_", "omniglot", "mini_imagenet",
    "fashion_mnist", "emoji", "mpii", "lsun_layout", "coco_",
)  # fmt: skip


@pytest.mark.parametrize("name", [name for name in BENCHMARKS if name.startswith(FAMILIES)])
def test_the_page_gives_the_counts_that_are_checked(name):
    assert entry(name) in PAGE
    checked = {**BENCHMARKS[name].verified, **BENCHMARKS[name].recalled}
    assert [f"{count:,} {what}" for what, count in checked.items() if f"{count:,}" not in PAGE] == []
