"""A checkpoint as an int8 ONNX graph, and the manifest beside it. Needs torch, sentence-transformers and onnx."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.optimizer import optimize_model
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer

from toolrouter.catalog.text import TOOL_TEXT_VERSION

if TYPE_CHECKING:
    from indexes.export import Card

MAX_BYTES = 25_000_000
MIN_TABLE_ROWS = 400
AFTER_GELU = "output/dense/MatMul"
INPUTS = ["input_ids", "attention_mask", "token_type_ids"]


class Embedding(torch.nn.Module):
    """An encoder with mean pooling and normalisation inside its graph."""

    def __init__(self, encoder: torch.nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> torch.Tensor:
        tokens = self.encoder(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(tokens.dtype)
        pooled = (tokens * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        return torch.nn.functional.normalize(pooled, dim=-1)


def export(checkpoint: str, out: Path, card: Card) -> dict[str, Any]:
    """Write `model.onnx`, `tokenizer.json` and `manifest.json` to `out` and return the manifest."""
    out.mkdir(parents=True, exist_ok=True)
    model = SentenceTransformer(checkpoint, device="cpu").eval()
    transformer = model[0]
    with tempfile.TemporaryDirectory() as folder:
        plain, fused = Path(folder) / "plain.onnx", Path(folder) / "fused.onnx"
        write_float_graph(transformer.auto_model, plain)
        fuse(plain, fused, transformer.auto_model.config)
        quantise(fused, out / "model.onnx")
    write_tokenizer(transformer.tokenizer, out / "tokenizer.json")
    manifest = describe(model, out, card)
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return manifest


def write_float_graph(encoder: torch.nn.Module, path: Path) -> None:
    # The plain attention traces to the pattern that the optimizer fuses; SDPA does not.
    encoder.set_attn_implementation("eager")
    example = {
        "input_ids": torch.tensor([[101, 2784, 102], [101, 102, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1], [1, 1, 0]]),
        "token_type_ids": torch.zeros(2, 3, dtype=torch.int64),
    }
    torch.onnx.export(
        Embedding(encoder).eval(),
        tuple(example[name] for name in INPUTS),
        str(path),
        input_names=INPUTS,
        output_names=["embedding"],
        dynamic_axes={**{name: {0: "n", 1: "length"} for name in INPUTS}, "embedding": {0: "n"}},
        opset_version=17,
        dynamo=False,
    )


def fuse(source: Path, target: Path, config: Any) -> None:
    """Fuse attention, layer norms and GELU, which saves a third of the time of a query on a CPU."""
    options = FusionOptions("bert")
    options.enable_embed_layer_norm = False  # keeps the embedding tables apart, so that they can be int8
    optimised = optimize_model(
        str(source),
        model_type="bert",
        num_heads=config.num_attention_heads,
        hidden_size=config.hidden_size,
        opt_level=1,
        optimization_options=options,
    )
    optimised.save_model_to_file(str(target))


def quantise(source: Path, target: Path) -> None:
    """Store all weights as int8 and compute with int8 where that costs little accuracy.

    The layers behind GELU keep float arithmetic: their inputs have outliers that one scale for a whole
    tensor cannot hold (without this the cosine to the float model falls from .996 to .993). Of int8
    arithmetic seven bits are used (`reduce_range`): eight saturate on processors without VNNI.
    """
    names = [node.name for node in onnx.load(source).graph.node if node.op_type == "MatMul"]
    in_float = [name for name in names if name.endswith(AFTER_GELU) and "attention" not in name]
    quantize_dynamic(
        source,
        target,
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,
        op_types_to_quantize=["MatMul", "Attention"],
        nodes_to_exclude=in_float,
        extra_options={"MatMulConstBOnly": True, "DefaultTensorType": TensorProto.FLOAT},
    )
    model = onnx.load(target)
    pack_weights(model.graph, in_float)
    pack_embedding_tables(model.graph)
    onnx.save(model, target)
    size = target.stat().st_size
    if size > MAX_BYTES:
        msg = f"{target} has {size:,} bytes, more than {MAX_BYTES:,}"
        raise ValueError(msg)


def pack_weights(graph: onnx.GraphProto, names: list[str]) -> None:
    """Store the matrices of some multiplications as int8 columns, which the runtime unpacks when it loads."""
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for node in [node for node in graph.node if node.name in names]:
        weights = tensors[node.input[1]]
        packed, scale = _pack(graph, weights, axis=0)
        unpacked = [
            helper.make_node("Cast", [packed], [f"{packed}_float"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{packed}_float", scale], [weights.name]),
        ]
        _insert(graph, before=node, nodes=unpacked)


def pack_embedding_tables(graph: onnx.GraphProto) -> None:
    """Replace each look-up in a large float table by one in int8 rows, each with a scale of its own."""
    tables = {tensor.name: tensor for tensor in graph.initializer}
    for node in [node for node in graph.node if node.op_type == "Gather" and node.input[0] in tables]:
        table = tables[node.input[0]]
        if len(table.dims) != 2 or table.dims[0] < MIN_TABLE_ROWS:
            continue
        packed, scale = _pack(graph, table, axis=1)
        ids, rows = node.input[1], node.output[0]
        lookup = [
            helper.make_node("Gather", [packed, ids], [f"{rows}_int8"]),
            helper.make_node("Cast", [f"{rows}_int8"], [f"{rows}_float"], to=TensorProto.FLOAT),
            helper.make_node("Gather", [scale, ids], [f"{rows}_scale"]),
            helper.make_node("Mul", [f"{rows}_float", f"{rows}_scale"], [rows]),
        ]
        _insert(graph, before=node, nodes=lookup)
        graph.node.remove(node)


def _pack(graph: onnx.GraphProto, tensor: TensorProto, *, axis: int) -> tuple[str, str]:
    """Replace a float tensor by int8 values and scales along an axis, and return the names of both."""
    values = numpy_helper.to_array(tensor)
    scale = (np.abs(values).max(axis=axis, keepdims=True) / 127 + 1e-12).astype(np.float32)
    graph.initializer.remove(tensor)
    graph.initializer.append(numpy_helper.from_array(np.round(values / scale).astype(np.int8), f"{tensor.name}_int8"))
    graph.initializer.append(numpy_helper.from_array(scale, f"{tensor.name}_scale"))
    return f"{tensor.name}_int8", f"{tensor.name}_scale"


def _insert(graph: onnx.GraphProto, *, before: onnx.NodeProto, nodes: list[onnx.NodeProto]) -> None:
    position = list(graph.node).index(before)
    for offset, node in enumerate(nodes):
        graph.node.insert(position + offset, node)


def write_tokenizer(tokenizer: Any, path: Path) -> None:
    """Write the fast tokenizer without truncation and padding: the caller sets both from the manifest."""
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.no_truncation()
    backend.no_padding()
    backend.save(str(path), pretty=False)


def describe(model: SentenceTransformer, out: Path, card: Card) -> dict[str, Any]:
    files = ("model.onnx", "tokenizer.json")
    return {
        "name": card.name,
        "version": card.version,
        "base_model": card.base_model,
        "licence": card.licence,
        "dimensions": model.get_embedding_dimension(),
        "max_tokens": card.max_tokens,
        "pooling": "mean",
        "normalised": True,
        "precision": "int8",
        "inputs": INPUTS,
        "output": "embedding",
        "pad_id": model.tokenizer.pad_token_id,
        "query_prefix": "",
        "document_prefix": "",
        "tool_text_version": TOOL_TEXT_VERSION,
        "files": {name: {"sha256": _sha256(out / name), "bytes": (out / name).stat().st_size} for name in files},
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
