"""Where the embeddings of a gallery lie."""

from isometry.index.folder import Folder
from isometry.index.stores.embedded import Embedded
from isometry.index.stores.milvus import Milvus
from isometry.index.stores.store import Store
from isometry.protocols.retrieval import geometry

__all__ = ["Embedded", "Milvus", "Store", "opened"]


def opened(folder: Folder) -> Store:
    """Where the vectors of a gallery lie: in its folder, or in the collection that its manifest names."""
    now = folder.manifest
    if not now.store:
        return Embedded(folder)
    compare = geometry(now.similarity)[1]
    return Milvus(now.store, name=now.collection, dim=now.width, compare=compare, create=False)
