"""Non-isotropy regularisation (Roth, Vinyals and Akata, "Non-isotropy regularization for proxy-based deep metric learning",
CVPR 2022).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from isometry import engine
from isometry.around import Around
from isometry.component import fresh
from isometry.cost import Cost, mean
from isometry.embedded import Embedded, wrap
from isometry.heads.conditional import ConditionalGlow
from isometry.loss import Loss
from isometry.losses.proxy_anchor import ProxyAnchor
from isometry.ops.mixed import single
from isometry.ops.safe import normalize
from isometry.term import samples

HIGHEST = 20.0
"""Nats from which e^ℓ goes on as its tangent, so that float32 holds it; ℓ starts at ½, and falls."""


class NonIsotropy(Around):
    """Asks of a proxy loss that a flow can tell how its embeddings lie around their proxies, and not only how far.

    omega · ℓ_loss(z) + E[e^{ℓ(x | ρ_y)}], where ℓ(x | ρ) = ½ ‖τ(x | ρ)‖² − log |det ∂τ/∂x| is the negative log-likelihood, but
    for a constant, of x = z/‖z‖ under a flow τ to the standard normal, and ρ_y is the proxy of x's class, at length 1. A distance
    to a proxy is blind to directions; the flow gives each class a density of any shape, and embeddings, proxies and flow are
    all trained to make it high. The flow is left behind afterwards. Rows of unknown label take no part.

    `exponential=False` is ℓ itself, the likelihood. e^ℓ is the official code's, as its omega is: it lies above 0, and fades as
    the flow fits, where ℓ sinks as far as −T d c for T blocks, and outweighs the loss at that omega.

    The term wraps the loss, whose proxies it must share; a sum's terms know nothing of each other. So the factor is inside:
    `NonIsotropy(loss=ProxyAnchor(alpha=16)) + 0.1 * KoLeo()`. Any loss on `Proxies` will do; of several centres a class their
    mean is read.

    The flow is Glow's, as in the official code: a fixed permutation and two couplings a block, and every coupling reads ρ.
    Its subnets have three layers and SiLU (there eight and ReLU), and s is bounded by a tanh (there by an arctangent).

    Args:
        omega: what the loss counts as.
        blocks: T. width: of the two hidden layers of a coupling. clamp: c, the bound of every log scale.
        lr_multiple: how many times the loss's rate the flow learns at. The official code has 50 times that of the trunk, and
            4,000 for the proxies: an eightieth of theirs, as 1 is beside the 100 of `Proxies` here, about.

    Raises:
        ValueError: for a loss without proxies, sizes or a clamp that are not positive, labels that are no classes, and with
            `against`.

    >>> NonIsotropy(num_classes=2, dim=4)(torch.randn(8, 4), torch.tensor([0, 1] * 4)).shape
    torch.Size([])
    """

    loss: Loss = fresh(ProxyAnchor)
    omega: float = 0.0075
    exponential: bool = True
    blocks: int = 5
    width: int = 128
    clamp: float = 2.0
    lr_multiple: float = 1.0  # type: ignore[misc]

    def __post_init__(self) -> None:
        proxies = getattr(self.loss.reference, "class_vectors", None)
        if proxies is None:
            raise ValueError(
                f"NonIsotropy reads the proxies of its loss, and {self.loss!r} has none: take ProxyAnchor(), or "
                "give the loss reference=Proxies()."
            )
        dim = proxies.shape[1]
        if dim < 2 or self.blocks < 1 or self.width < 1 or self.clamp <= 0:
            raise ValueError(
                f"{self!r} in {dim} dimensions: a flow has 2 or more, and its sizes and clamp are above 0."
            )
        self.flow = ConditionalGlow(dim, dim, blocks=self.blocks, width=self.width, clamp=self.clamp)
        for module in self.flow.modules():
            module.lr_multiple = self.lr_multiple  # type: ignore[assignment]

    @property
    def stats(self) -> dict[str, float]:
        """The loss's, and the mean of ℓ in the last step."""
        return {**self.loss.stats, **({"nll": float(self.seen)} if hasattr(self, "seen") else {})}

    def forward(
        self,
        embedded: Embedded | Tensor,
        y: Tensor,
        *,
        ids: Tensor | None = None,
        weight: Tensor | None = None,
        against: tuple[Tensor, ...] | None = None,
        rows: Tensor | slice | None = None,
    ) -> Tensor:
        if against is not None:
            raise ValueError("NonIsotropy compares with its loss's proxies: leave `against` out.")
        if y.ndim != 1 or y.is_floating_point():
            raise ValueError(f"NonIsotropy reads classes, whole numbers [n]; got {str(y.dtype)[6:]} {list(y.shape)}.")
        own = self.loss(embedded, y, ids=ids, weight=weight, rows=rows)
        mine = samples(wrap(embedded).z, y, ids, weight)
        asked = mine if rows is None else mine.take(rows)
        with torch.autocast(asked.z.device.type, enabled=False):
            nll, known = self.nll(asked.z, asked.y), asked.y >= 0
            cost = Cost(nll=mean(nll, known), own=mean(exponential(nll) if self.exponential else nll, known))
            means = engine.means(cost, asked.weight)
        if not torch.compiler.is_compiling():
            self.seen = means["nll"].detach()
        return self.omega * own + means["own"]

    def nll(self, z: Float[Tensor, "n d"], y: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        """ℓ of each row: ½ ‖τ(x | ρ_y)‖² − log |det ∂τ/∂x|, without (d/2) log 2π."""
        x = normalize(single(z))
        proxies: Tensor = self.loss.reference.class_vectors  # type: ignore[union-attr]
        at, log_det = self.flow(x, normalize(proxies.to(x.dtype))[y.clamp_min(0)])
        return at.square().sum(1) / 2 - log_det


def exponential(x: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """eˣ, and above `HIGHEST` its tangent there.

    >>> x = torch.tensor([HIGHEST, HIGHEST + 1], dtype=torch.float64)
    >>> float(exponential(x)[1] / exponential(x)[0])
    2.0
    """
    low = x.clamp_max(HIGHEST)
    return low.exp() * (1 + x - low)
