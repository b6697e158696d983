"""Wrong input and what the one line about it must say. Run without the tests' run-time type checks: prints JSON."""

import json

import torch

import isometry
from isometry import losses


def z(n=4, d=3, **kind):
    return torch.randn(n, d, **kind)


Y = torch.tensor([0, 0, 1, 1])
CASES = [
    (lambda: losses.Contrastive()(z(), Y[:3]), "4 embeddings and labels of shape [3]"),
    (lambda: losses.Contrastive()(z(), Y.float()), "whole numbers"),
    (lambda: losses.Contrastive()(z(), [0, 0, 1, 1]), "torch.as_tensor(labels)"),
    (lambda: losses.Contrastive()(z(), Y.to("meta")), "move one with .to('cpu')"),
    (lambda: losses.Contrastive()(z().long(), Y), "floating-point tensor [n d]"),
    (lambda: losses.Contrastive()(z()[0], Y), "floating-point tensor [n d]"),
    (lambda: losses.Contrastive()(z(), Y, ids=Y.float()), "ids are whole numbers"),
    (lambda: losses.Contrastive()(z(), Y, weight=torch.ones(3)), "weight of shape [3]"),
    (lambda: losses.Contrastive()(z(), Y, against=(z(),)), "(embeddings, labels)"),
    (lambda: losses.Contrastive()(z(), Y, against=(z(d=2), Y)), "3 dimensions and references 2"),
    (lambda: losses.ProxyAnchor(num_classes=2, dim=3)(z(), Y + 5), "Label 6 has no proxy"),
    (lambda: losses.ProxyAnchor(num_classes=2, dim=7)(z(), Y), "7 dimensions and the embeddings 3"),
    (lambda: losses.ProxyAnchor(), "needs 'num_classes'"),
    (lambda: losses.Contrastive(positve=1.0), "Did you mean 'positive'?"),
    (lambda: losses.Contrastive(positive="x"), "is float, and 'x' is not"),
    (lambda: losses.Triplet(select=3), "is Select, and 3 is not"),
    (lambda: isometry.memory_budget("lots").__enter__(), "written like '256 MB'"),
    (lambda: isometry.parse("Contrastve()"), "Did you mean 'Contrastive'?"),
    (lambda: isometry.parse("ProxyAnchor(aplha=2)", num_classes=2, dim=2), "Did you mean 'alpha'?"),
    (lambda: isometry.parse("ProxyAnchor(alpha='x')", num_classes=2, dim=2), "is float, and 'x' is not"),
    (lambda: isometry.parse("ProxyAnchor(alpha=2)"), "needs"),
    (lambda: isometry.parse("Contrastive("), "no expression"),
    (lambda: isometry.parse("Contrastive() + 3"), "only losses can"),
    (lambda: isometry.parse("Contrastive(1.0)"), "keyword arguments only"),
    (lambda: isometry.parse("__import__('os').system('true')"), "cannot be written"),
    (lambda: isometry.parse(3), "An expression is text"),
]


def message(call):
    try:
        call()
    except ValueError as error:
        return str(error)
    return "nothing was raised"


if __name__ == "__main__":
    print("RESULT" + json.dumps([message(call) for call, _ in CASES]))
