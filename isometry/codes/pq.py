"""Product quantisation (Jégou, Douze and Schmid, TPAMI 2011), as faiss learns it."""

import importlib
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from isometry.codes.code import Code


class PQ(Code):
    """The nearest of 256 typical values in each of `parts` slices of the embedding: `parts` bytes an item.

    Each slice of d / parts dimensions is replaced by the nearest of 2^8 k-means centres of such slices. Queries in full
    precision are compared with the centres (asymmetric distances).
    """

    parts: int = 16
    """Slices, and bytes an item; divides the dimensions."""

    def __post_init__(self) -> None:
        self.register_buffer("centres", None)

    def learn(self, z: Float[Tensor, "n d"]) -> None:
        if self.parts < 1 or z.shape[1] % self.parts:
            raise ValueError(f"{self!r} does not divide {z.shape[1]} dimensions: parts is one of their divisors.")
        if len(z) < 256:
            raise ValueError(f"{self!r} learns 256 centres a slice; got {len(z)} embeddings: give it at least 256.")
        faiss: Any = importlib.import_module("faiss")
        pq = faiss.ProductQuantizer(z.shape[1], self.parts, 8)
        pq.cp.min_points_per_centroid = 1
        pq.train(z.cpu().float().contiguous().numpy())
        centres = faiss.vector_to_array(pq.centroids).reshape(self.parts, 256, -1)
        self.centres = torch.from_numpy(centres.copy()).to(z.device)

    def encode(self, z: Float[Tensor, "n d"]) -> UInt8[Tensor, "n b"]:
        centres = self.reads("centres")
        slices = z.float().view(len(z), self.parts, -1)
        half = centres.square().sum(2) / 2  # ‖x − c‖² is least where xᵀc − ‖c‖²/2 is largest
        codes = [(slices[:, i] @ centres[i].T - half[i]).argmax(1) for i in range(self.parts)]
        return torch.stack(codes, 1).to(torch.uint8)

    def decode(self, code: UInt8[Tensor, "n b"]) -> Float[Tensor, "n e"]:
        centres = self.reads("centres")
        return torch.cat([centres[i][code[:, i].long()] for i in range(self.parts)], 1)
