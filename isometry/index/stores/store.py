"""What a store is: vectors with ids and what is known of them, that can be searched and changed by id."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int64
from torch import Tensor

from isometry.index.items import Items


@runtime_checkable
class Adding(Protocol):
    """Takes new vectors, some at a time."""

    def add(
        self, z: Float[Tensor, "n d"], items: Items, pictures: Sequence[bytes] = (), roots: Sequence[str] = ()
    ) -> None:
        """More vectors; small pictures as files hold them, and the folders that paths start from, "" where there are none."""
        ...


@runtime_checkable
class Store(Protocol):
    """Vectors by id. They are mapped for the similarity already: rows of length one for a cosine."""

    def fill(self, rows: Callable[[Adding], None]) -> int:
        """Adds what `rows` hands over; vectors with ids that exist take the place of what was there. Returns how many."""
        ...

    def delete(self, ids: Int64[Tensor, " n"]) -> int:
        """Removes what there is of these; how many that was."""
        ...

    def search(
        self, z: Float[Tensor, "q d"], k: int, keep: Int64[Tensor, " m"] | None = None, *, exact: bool = False
    ) -> tuple[Float[Tensor, "q k"], Int64[Tensor, "q k"]]:
        """Similarities and ids of the k nearest, nearest first; −inf and −1 where there are fewer."""
        ...

    def has(self, ids: Int64[Tensor, " n"]) -> list[bool]:
        """Whether each is here."""
        ...

    def items(self, ids: Int64[Tensor, " n"]) -> Items:
        """What is known of these.

        Raises:
            KeyError: for an id that is not here.
        """
        ...

    def vectors(self, ids: Int64[Tensor, " n"]) -> Float[Tensor, "n d"]:
        """The vectors of these.

        Raises:
            KeyError: for an id that is not here.
        """
        ...

    def pictures(self, ids: Int64[Tensor, " n"]) -> list[bytes]:
        """Their small pictures, as files hold them; b"" where there is none."""
        ...

    def roots(self, ids: Int64[Tensor, " n"]) -> list[str]:
        """The folder that each path starts from; "" where it is not known."""
        ...

    def ids(self) -> Int64[Tensor, " n"]:
        """All ids."""
        ...

    def classes(self) -> tuple[str, ...]:
        """Names of labels."""
        ...

    def compact(self, tell: Callable[[str], None]) -> None:
        """Brings all into one piece, and leaves out what was deleted; says how it is searched."""
        ...

    def beside(self) -> str:
        """What a search has to look at besides its index, as text; "" where that is little."""
        ...

    def refresh(self) -> bool:
        """Reads anew what another process has changed; whether anything had."""
        ...

    def check(self) -> None:
        """Reads all there is.

        Raises:
            Refused: when something is damaged.
        """
        ...

    def __len__(self) -> int: ...
