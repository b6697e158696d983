"""Runs the catalogue where the tests' own process cannot: under the compiler, and on two ranks. Prints JSON.

`python -m tests.contract.elsewhere compile [some | inductor]` or `… ranks`. Values and gradients go to the parent as lists.
"""

import json
import sys
import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from tests.contract.catalogue import ORDERED, TEXTS, batch, build, value_and_gradient


def compiled(backend, texts):
    found = {}
    for text in texts:
        torch._dynamo.reset()
        loss, (z, y, ids) = build(text, torch.float32), batch(text, dtype=torch.float32)
        run = torch.compile(lambda z, y, ids, loss=loss: loss(z, y, ids=ids), fullgraph=True, backend=backend)
        try:
            z.requires_grad_()
            value = run(z, y, ids)
            value.backward()
        except Exception as error:
            found[text] = {"error": f"{type(error).__name__}: {error}"[:600]}
            continue
        found[text] = {"value": value.item(), "grad": z.grad.tolist()}
    return found


SPLIT = 7
"""Rows of the first rank; the second has the rest: ranks need not be equally full."""


def on_rank(rank, address, out):
    dist.init_process_group("gloo", init_method=f"file://{address}", rank=rank, world_size=2)
    torch.set_num_threads(1)
    found = {}
    for text in (*TEXTS, *ORDERED):
        loss, (z, y, ids) = build(text), batch(text)
        mine = slice(0, SPLIT) if rank == 0 else slice(SPLIT, None)
        value, grad, grads = value_and_gradient(loss, z[mine], y[mine], ids=ids[mine])
        for g in grads:  # as DDP does
            dist.all_reduce(g)
            g /= 2
        found[text] = {"value": value.item(), "grad": (grad / 2).tolist(), "grads": [g.tolist() for g in grads]}
    with open(f"{out}.{rank}", "w") as file:
        json.dump(found, file)
    dist.barrier()
    dist.destroy_process_group()


def two_ranks():
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(on_rank, args=(f"{folder}/meet", f"{folder}/out"), nprocs=2)
        parts = [json.loads(Path(f"{folder}/out.{rank}").read_text()) for rank in (0, 1)]
    return {
        text: {
            "values": [part[text]["value"] for part in parts],
            "grad": parts[0][text]["grad"] + parts[1][text]["grad"],
            "grads": parts[0][text]["grads"],
        }
        for text in (*TEXTS, *ORDERED)
    }


if __name__ == "__main__":
    if sys.argv[1] == "ranks":
        result = two_ranks()
    elif sys.argv[2:] == ["inductor"]:
        result = compiled("inductor", ["MultiSimilarity()", "ProxyAnchor()", "SupCon()"])
    else:
        result = compiled("aot_eager", (*TEXTS, *ORDERED)[:: 48 if sys.argv[2:] == ["some"] else 1])
    print("RESULT" + json.dumps(result))
