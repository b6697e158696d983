"""How exactly weights are kept in an ONNX file, and what a file has to reach to be written at all."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isometry.component import nearest
from isometry.export.graph import quiet

SMALL = 4096
"""Numbers in a tensor that is worth keeping as float16."""


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What an export has to reach.

    Attributes:
        embedding: largest ‖z − z'‖ / ‖z‖ of a picture.
        kept: least share of nearest neighbours, and of the ten nearest, that are the same.
        metric: largest change of Recall@1 and of MAP@R (of nDCG where labels are at a distance).
    """

    embedding: float
    kept: float
    metric: float


@dataclass(frozen=True, kw_only=True)
class Precision:
    """A way to keep weights.

    Attributes:
        name: what it is called.
        change: what is done to the graph.
        gate: what it has to reach unless told otherwise.
        alone: whether a picture's embedding depends on its batch, so that pictures go one by one.
    """

    name: str
    change: Callable[[Any], Any]
    gate: Gate
    alone: bool = False


def same(model: Any) -> Any:
    """The graph as it is."""
    return model


def half_weights(model: Any) -> Any:
    """Weights kept as float16 and cast back as the model is loaded: half the bytes, and the arithmetic of float32.

    Tensors of fewer than `SMALL` numbers stay as they are: they weigh little, and early depthwise kernels, whose roundings do
    not average out, moved embeddings of EfficientNet-lite0 by 2.2 % instead of 0.4 %. So do weights beyond ±65504.
    """
    import onnx

    graph, casts = model.graph, []
    for held in graph.initializer:
        if held.data_type != onnx.TensorProto.FLOAT:
            continue
        value = onnx.numpy_helper.to_array(held)
        if value.size < SMALL or np.abs(value).max() > np.finfo(np.float16).max:
            continue
        short = onnx.numpy_helper.from_array(value.astype(np.float16))
        casts.append(onnx.helper.make_node("Cast", [f"{held.name}.half"], [held.name], to=onnx.TensorProto.FLOAT))
        short.name = f"{held.name}.half"
        held.CopyFrom(short)
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def dynamic_int8(model: Any) -> Any:
    """Weights of convolutions and products kept as 8-bit integers, a scale a channel; activations quantised as they come.

    Weights are unsigned: with signed ones 16-bit sums overflow on processors without VNNI.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder, quiet():
        path = Path(folder) / "model.onnx"
        large = sum(len(held.raw_data) for held in model.graph.initializer) > 2**30
        quantize_dynamic(model, path, weight_type=QuantType.QUInt8, per_channel=True, use_external_data_format=large)
        made = onnx.load(path)
    del made.graph.value_info[:]
    return made


FLOAT32 = Precision(name="float32", change=same, gate=Gate(embedding=1e-4, kept=1.0, metric=1e-3))
HALF = Precision(name="half", change=half_weights, gate=Gate(embedding=1e-2, kept=0.98, metric=5e-3))
INT8 = Precision(name="int8", change=dynamic_int8, gate=Gate(embedding=0.25, kept=0.8, metric=2e-2), alone=True)
PRECISIONS = {one.name: one for one in (FLOAT32, HALF, INT8)}


def precision(name: str) -> Precision:
    """The one of this name.

    Raises:
        ValueError: for a name that there is not.
    """
    if name not in PRECISIONS:
        raise ValueError(f"Weights are kept as {', '.join(PRECISIONS)}; got {name!r}.{nearest(name, PRECISIONS)}")
    return PRECISIONS[name]
