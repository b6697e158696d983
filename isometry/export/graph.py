"""The network as a graph: what torch runs without the library, and what onnxruntime runs without torch."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isometry.embedder import Ready
from isometry.lite import Preparation

OPSET = 20
"""Of the operators in an ONNX file; onnxruntime reads it from 1.17 on."""
Program = torch.export.ExportedProgram


class Network(nn.Module):
    """Pictures `[n c h w]` in 0 … 1 to embeddings `[n d]`, mean and deviation of the trunk included."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        return self.model(images).z


def program(ready: Ready, size: Preparation) -> Program:
    """The network as torch exports it, for batches of any size.

    Raises:
        ValueError: for a model that cannot be traced.
    """
    network = Network(ready.to("cpu").model).eval()
    example = torch.zeros(2, size.channels, size.height, size.width)
    batch = torch.export.Dim("batch", min=1)
    try:
        with torch.no_grad(), quiet():
            made = torch.export.export(network, (example,), dynamic_shapes=({0: batch},))
    except Exception as error:  # whatever the tracer meets
        raise ValueError(f"{_named(ready)} cannot be exported: torch.export says {_line(error)}") from None
    for module in made.graph_module.modules():
        for node in module.graph.nodes if isinstance(module, torch.fx.GraphModule) else ():
            node.meta.pop("stack_trace", None)  # names folders of whoever exported
    return made


def onnx_model(ready: Ready, made: Program) -> Any:
    """The program as an ONNX `ModelProto` with input "images" and output "z", without traces of where it was made.

    Raises:
        ValueError: for an operator that ONNX has no word for.
    """
    try:
        with torch.no_grad(), quiet():
            held: Any = torch.onnx.export(
                made, dynamo=True, input_names=["images"], output_names=["z"], opset_version=OPSET, verbose=False
            )
            model = held.model_proto
    except Exception as error:  # whatever the exporter meets
        raise ValueError(f"{_named(ready)} cannot be written as ONNX: {_line(error)}") from None
    _bare(model)
    return model


def _bare(model: Any) -> None:
    """Leaves out notes of the exporter: traces with folders' names, and shapes that can be inferred."""
    graph = model.graph
    del model.metadata_props[:], graph.metadata_props[:], graph.value_info[:]
    for part in (*graph.node, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    for end in (*graph.input, *graph.output):
        end.type.tensor_type.shape.dim[0].dim_param = "batch"


def _named(ready: Ready) -> str:
    return " · ".join(ready.model.texts.values())


def _line(error: BaseException) -> str:
    first = next((line for line in str(error).splitlines() if line.strip()), "") or type(error).__name__
    return f"{' '.join(first.split())[:200].rstrip('.')}."


@contextmanager
def quiet() -> Iterator[None]:
    """Without the exporters' remarks on their own work."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
