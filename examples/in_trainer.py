"""A loss of isometry in the Hugging Face Trainer: the model returns its own loss, as the Trainer wants.

pip install transformers accelerate
python examples/in_trainer.py
"""

import tempfile

import torch
from letters import CLASSES, DIM, network, rates, recall, to_train
from torch import Tensor, nn
from torch.utils.data import StackDataset
from transformers import Trainer, TrainingArguments

import isometry


class WithLoss(nn.Module):
    """A network that returns `{"loss", "z"}`. The loss is a sub-module: its proxies are trained and saved as well."""

    def __init__(self, net: nn.Module, loss: str) -> None:
        super().__init__()
        self.net = net
        self.loss = isometry.parse(loss, num_classes=CLASSES, dim=DIM)

    def forward(self, images: Tensor, labels: Tensor, ids: Tensor) -> dict[str, Tensor]:
        z = self.net(images)
        if self.training:
            self.loss.observe(z, labels, ids)
        return {"loss": self.loss(z, labels, ids=ids), "z": z}


def main(steps: int = 100, lr: float = 2e-3) -> tuple[float, float]:
    """Trains, and returns Recall@1 on unseen letters before and after."""
    torch.manual_seed(0)
    images, labels, ids = to_train().tensors
    model = WithLoss(network(), "ProxyAnchor()")
    before = recall(model.net)
    optimizer = torch.optim.AdamW([{"params": model.net.parameters()}, *rates(model.loss, lr)], lr=lr)
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            output_dir=folder, max_steps=steps, per_device_train_batch_size=128, use_cpu=True, lr_scheduler_type="constant",
            remove_unused_columns=False, save_strategy="no", report_to="none", logging_strategy="no", disable_tqdm=True,
        )  # fmt: skip
        trainer = Trainer(
            model=model,
            args=settings,
            train_dataset=StackDataset(images=images, labels=labels, ids=ids),
            data_collator=torch.utils.data.default_collate,
            optimizers=(optimizer, None),
        )
        trainer.train()
    after = recall(model.net)
    print(f"R@1 on unseen letters: {before:.3f} before, {after:.3f} after {steps} steps")
    return before, after


if __name__ == "__main__":
    main()
