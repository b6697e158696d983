"""`evaluate` against trec_eval, the program."""

import warnings

import pytest
import torch

from isometry.protocols.retrieval import evaluate
from isometry.relations import label_tree

pytrec_eval = pytest.importorskip("pytrec_eval")
SAME = {
    "Recall(k=5)": "success_5", "ShareFound(k=10)": "recall_10", "Precision(k=5)": "P_5", "RPrecision()": "Rprec", "MAP()": "map",
    "MRR()": "recip_rank", "NDCG(k=10)": "ndcg_cut_10", "NDCG()": "ndcg",
}  # fmt: skip


@pytest.mark.parametrize("graded", [False, True])
def test_values_are_those_of_trec_eval(graded):
    random = torch.Generator().manual_seed(0)
    n = 80
    y = torch.randint(12, (n,), generator=random)
    z = torch.randn(12, 8, generator=random)[y] + torch.randn(n, 8, generator=random)
    sim = torch.nn.functional.normalize(z.double(), dim=1)
    sim = sim @ sim.T
    same, near = y[:, None] == y, (y // 3)[:, None] == y // 3
    level = same.long() + near.long() if graded else same.long()
    qrels = {f"q{i}": {f"d{j}": int(level[i, j]) for j in range(n) if j != i} for i in range(n)}
    run = {f"q{i}": {f"d{j}": float(sim[i, j]) for j in range(n) if j != i} for i in range(n)}
    chosen = {ours: theirs for ours, theirs in SAME.items() if not graded or ours.startswith("NDCG")}
    names = {"success.5", "recall.10", "P.5", "Rprec", "map", "recip_rank", "ndcg_cut.10", "ndcg"}
    theirs = pytrec_eval.RelevanceEvaluator(qrels, names).evaluate(run)
    labels, relate = (torch.stack([y // 3, y], 1), label_tree) if graded else (y, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = evaluate(z, labels, ", ".join(chosen), relate=relate, samples=0)
    for ours, name in chosen.items():
        expected = torch.tensor([theirs[f"q{i}"][name] for i in range(n)])
        scored = ~found[ours].per_query.isnan()
        assert scored.sum() > 70
        torch.testing.assert_close(found[ours].per_query[scored], expected[scored], atol=1e-6, rtol=0)
