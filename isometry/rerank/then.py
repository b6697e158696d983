"""Several re-rankings, one after the other."""

from jaxtyping import Float, Int
from torch import Tensor

from isometry.ops.neighbours import nearest
from isometry.ops.ranking import Compare, inner
from isometry.rerank.reranking import Moving, Reranking


class Then(Reranking):
    """Takes one step after the other: each moves the embeddings for the next, and the last gives the lists.

    All steps but the last move embeddings (query expansion, database augmentation); the last may be any re-ranking.
    Without a step it is plain search.

    >>> from isometry.rerank import AlphaQE, DatabaseAugmentation, KReciprocal
    >>> Then(steps=(DatabaseAugmentation(k=5), AlphaQE(k=5), KReciprocal()))
    Then(steps=(DatabaseAugmentation(k=5), AlphaQE(k=5), KReciprocal()))

    Raises:
        ValueError: for a step that is no re-ranking, or one before the last that gives lists.
    """

    steps: tuple[Reranking, ...] = ()

    def __post_init__(self) -> None:
        for step in self.steps:
            if not isinstance(step, Reranking):
                raise ValueError(f"Then takes re-rankings, and {step!r} is none.")
        for step in self.steps[:-1]:
            if not isinstance(step, Moving):
                raise ValueError(f"{step!r} gives lists, not embeddings, so it must be the last step of Then.")

    @property
    def queries_independent(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether all steps are."""
        return all(step.queries_independent for step in self.steps)

    def neighbours(
        self,
        q: Float[Tensor, "n d"],
        g: Float[Tensor, "m d"],
        k: int,
        *,
        ids_q: Int[Tensor, " n"] | None = None,
        ids_g: Int[Tensor, " m"] | None = None,
        similarity: Compare = inner,
        turn: Int[Tensor, " n"] | None = None,
        memory: str | int = "512 MB",
    ) -> tuple[Float[Tensor, "n k"], Int[Tensor, "n k"]]:
        last = nearest
        for step in self.steps:
            if step is self.steps[-1]:
                last = step.neighbours
            elif isinstance(step, Moving):
                q, g = step.move(q, g, ids_q=ids_q, ids_g=ids_g, similarity=similarity, turn=turn, memory=memory)
        return last(q, g, k, ids_q=ids_q, ids_g=ids_g, similarity=similarity, turn=turn, memory=memory)
