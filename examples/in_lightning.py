"""A loss of isometry in Lightning: it is a module with parameters, so Lightning moves, saves and restores it.

pip install lightning
python examples/in_lightning.py
"""

import lightning as L
import torch
from letters import CLASSES, DIM, network, rates, recall, to_train
from torch.utils.data import DataLoader

import isometry


class Embedding(L.LightningModule):
    """Learns embeddings with any loss, written as text."""

    def __init__(self, loss: str, lr: float = 5e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = network()
        self.loss = isometry.parse(loss, num_classes=CLASSES, dim=DIM)

    def training_step(self, batch: tuple[torch.Tensor, ...], index: int) -> torch.Tensor:
        images, labels, ids = batch
        z = self.net(images)
        self.loss.observe(z, labels, ids)
        return self.loss(z, labels, ids=ids)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        lr = self.hparams.lr
        return torch.optim.AdamW([{"params": self.net.parameters()}, *rates(self.loss, lr)], lr=lr)


def main(steps: int = 100) -> tuple[float, float]:
    """Trains, and returns Recall@1 on unseen letters before and after."""
    torch.manual_seed(0)
    model, data = Embedding("MultiSimilarity()"), to_train()
    sampler = isometry.samplers.ClassesTimesInstances(classes=32, instances=4).bind(data.tensors[1])
    before = recall(model.net)
    # The sampler is made for its rank (bind(labels, rank=…, ranks=…)), so Lightning must not put its own around it.
    trainer = L.Trainer(
        max_steps=steps, max_epochs=-1, accelerator="cpu", use_distributed_sampler=False, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(model, DataLoader(data, batch_sampler=sampler))
    after = recall(model.net)
    print(f"R@1 on unseen letters: {before:.3f} before, {after:.3f} after {steps} steps")
    return before, after


if __name__ == "__main__":
    main()
