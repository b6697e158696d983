"""Evaluates over two ranks and prints what each found as JSON. `python -m tests.protocols.on_ranks`."""

import json
import tempfile
import warnings
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from isometry.ops.ranking import inner, minus_distance
from isometry.protocols.retrieval import evaluate
from isometry.protocols.sharded import nearest_over_ranks

LISTED = "Recall(k=1), MAPAtR(), MRR()"
PLACED = "Recall(k=1), MAP()"
SPLIT = 11
"""Gallery items of the first rank."""


def data():
    random = torch.Generator().manual_seed(0)
    z = torch.randint(-2, 3, (50, 3), generator=random).float()  # with many ties
    return torch.nn.functional.normalize(z + 0.1, dim=1), torch.arange(50) % 7


def on_rank(rank, address, out):
    dist.init_process_group("gloo", init_method=f"file://{address}", rank=rank, world_size=2)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    z, y = data()
    found = {}
    for metrics in (LISTED, PLACED):
        results = evaluate(z, y, metrics, over_ranks=True, samples=20)
        found[metrics] = {k: [r.value, r.low, r.high, r.least, r.per_query.tolist()] for k, r in results.items()}
    ids, mine = torch.arange(50), slice(0, SPLIT) if rank == 0 else slice(SPLIT, None)
    turn = (ids * 13) % 50
    for name, similarity in (("inner", inner), ("minus_distance", minus_distance)):
        sim, index = nearest_over_ranks(z, z[mine], 45, ids_q=ids, ids_g=ids[mine], similarity=similarity, turn=turn)
        found[name] = [sim.nan_to_num(neginf=-9).tolist(), index.tolist()]
    Path(f"{out}.{rank}").write_text(json.dumps(found))
    dist.barrier()
    dist.destroy_process_group()


def two_ranks():
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(  # pyright: ignore[reportPrivateImportUsage]
            on_rank, args=(f"{folder}/meet", f"{folder}/out"), nprocs=2
        )
        return [json.loads(Path(f"{folder}/out.{rank}").read_text()) for rank in (0, 1)]


if __name__ == "__main__":
    print("RESULT" + json.dumps(two_ranks()))
