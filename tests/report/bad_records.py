"""What is given to the report wrongly, and what it says; run without the run-time check of shapes, as users have it."""

import json
import math

import torch

from isometry.report import Items

from .conftest import record_of


def record(**changes):
    return record_of(torch.randn(20, 4), torch.arange(20) % 3, **{"classes": "abc", **changes})


def items(**changes):
    return Items(**{"z": torch.randn(20, 4), "labels": torch.arange(20) % 3, **changes})


CASES = (
    (lambda: record(per_query=torch.rand(19)), "per_query has 19 rows for 20 queries; give one row for each query"),
    (lambda: record(neighbours=torch.zeros(3, 10, dtype=torch.int64)), "neighbours has 3 rows for 20 queries"),
    (lambda: record(similarities=torch.rand(20, 3)), "similarities [20, 3]; expected the same shape [n k]"),
    (lambda: record(classes="ab"), "queries: label 2 has no name among 2; give one name for each label"),
    (lambda: record(queries=items(groups=torch.ones(20, dtype=torch.int64))), "queries: group 1 has no name among 0"),
    (
        lambda: record(neighbours=torch.full((20, 10), 20)),
        "neighbours point at item 20 of a gallery of 20; expected positions",
    ),
    (lambda: items(z=torch.randn(3, 4)), "z is [3, 4] for 20 labels; expected [n d]"),
    (lambda: items(z=torch.full((20, 4), math.nan)), "embeddings hold NaN or infinity, expected finite numbers"),
)


def said(make):
    try:
        make()
    except ValueError as error:
        return str(error)
    return "nothing"


if __name__ == "__main__":
    print("RESULT" + json.dumps([said(make) for make, _ in CASES]))
