"""A loss of isometry in your own loop: your model, your optimizer, your data. Ten seconds without a GPU.

python examples/own_loop.py
"""

import itertools

import torch
from letters import CLASSES, DIM, network, rates, recall, to_train
from torch.utils.data import DataLoader

import isometry


def main(steps: int = 100, lr: float = 5e-3) -> tuple[float, float]:
    """Trains, and returns Recall@1 on unseen letters before and after."""
    torch.manual_seed(0)
    model, data = network(), to_train()
    loss = isometry.parse(
        "MultiSimilarity(reference=Memory(size=1024)) + 0.02 * ProxyAnchor()", num_classes=CLASSES, dim=DIM
    )
    optimizer = torch.optim.AdamW([{"params": model.parameters()}, *rates(loss, lr)], lr=lr)
    sampler = isometry.samplers.ClassesTimesInstances(classes=32, instances=4).bind(data.tensors[1])
    epochs = itertools.chain.from_iterable(itertools.repeat(DataLoader(data, batch_sampler=sampler)))
    before = recall(model)

    for images, labels, ids in itertools.islice(epochs, steps):
        z = model(images)
        loss.observe(z, labels, ids)  # fills the memory; a loss without one ignores it
        value = loss(z, labels, ids=ids)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()

    after = recall(model)
    print(f"R@1 on unseen letters: {before:.3f} before, {after:.3f} after {steps} steps")
    return before, after


if __name__ == "__main__":
    main()
