"""How much of a model and its optimizer each device holds; a process of its own, run by a test."""

from __future__ import annotations

import sys
from typing import Any

from modules.processes import serve
from modules.training_process import leave_out_tensorflow


def carry_out(task: dict[str, Any]) -> dict[str, Any]:
    leave_out_tensorflow(sys.modules)
    return {kind: describe(kind, task["devices"]) for kind in ("data_parallel", "fully_sharded")}


def describe(kind: str, devices: int) -> dict[str, Any]:
    """Shapes of some arrays, whole and on the first device; the share of all bytes that this device holds."""
    from modules.models.gpt2.family import GPT2
    from modules.models.gpt2.network import build_backbone
    from modules.training.devices import shared_training
    from modules.training.optimizer import make_optimizer

    with shared_training(kind, devices=devices, batch_size=devices, sharding=GPT2.sharding):
        backbone = build_backbone(
            vocabulary_size=300,
            num_layers=2,
            num_heads=2,
            hidden_dim=16,
            intermediate_dim=64,
            dropout=0.0,
            max_sequence_length=64,
            dtype="float32",
        )
        optimizer = make_optimizer(1e-3, weight_decay=0.0, clip_norm=1.0)
        optimizer.build(backbone.trainable_variables)
        arrays = {variable.path: variable.value for variable in [*backbone.trainable_variables, *optimizer.variables]}
    chosen = {
        "token_embedding": "token_embedding/embeddings",
        "token_embedding_momentum": "token_embedding_embeddings_momentum",
        "feedforward_output_velocity": "transformer_layer_1_feedforward_output_dense_kernel_velocity",
    }
    local = {path: array.addressable_shards[0].data for path, array in arrays.items()}
    share = sum(array.nbytes for array in local.values()) / sum(array.nbytes for array in arrays.values())
    found = {name: next(path for path in arrays if path.endswith(end)) for name, end in chosen.items()}
    shapes = {name: [list(arrays[path].shape), list(local[path].shape)] for name, path in found.items()}
    return shapes | {"share": share}


if __name__ == "__main__":
    serve(sys.argv[1:], carry_out, task_type=dict)
