"""8-bit weights and arithmetic: what is exported cannot saturate, and the proof tells rounding from saturation."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from keras_hub.models import GPT2Backbone
from tokenizers import Tokenizer

from modules.exports import TrainedModel
from modules.exports.ctranslate2 import INT8, write
from modules.exports.int8 import quantize_rows
from modules.exports.transformers import TRANSFORMERS
from modules.models.gpt2.family import GPT2
from modules.proving.answers import Answers, ask_logits
from modules.proving.int8 import (
    exact_products,
    generator_logits,
    read_weights,
    saturated_products,
    unsafe_rows,
)
from modules.proving.requests import Requests, requests_of
from modules.proving.rounding import logits_distance
from pipeline.components.serving_proof.comparison import compare, reasons_in
from pipeline.components.serving_proof.prove import arithmetic_in
from tests.evaluation.conftest import GENERATION
from tests.evaluation.exporting import asked, export_model
from tests.modules.conftest import make_backbone

pytestmark = pytest.mark.arithmetic

PROMPTS = ("### Instruction:\nSort.\n\n### Response:\n", "pear, apple", "")
# What decides about CTranslate2's and oneDNN's arithmetic. A machine's own choice is one of them, or a mixture.
MACHINES: tuple[Mapping[str, str], ...] = (
    {"CT2_USE_MKL": "0"},
    {"CT2_USE_MKL": "1"},
    {"CT2_USE_MKL": "0", "CT2_FORCE_CPU_ISA": "GENERIC"},
    {"CT2_USE_MKL": "1", "CT2_FORCE_CPU_ISA": "GENERIC"},
    {"CT2_USE_MKL": "0", "CT2_FORCE_CPU_ISA": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    {"CT2_USE_MKL": "0", "ONEDNN_MAX_CPU_ISA": "SSE41"},
)
# oneDNN without VNNI instructions, whatever the processor: the road on which products are added in 16 bits.
SATURATING: Mapping[str, str] = {"CT2_USE_MKL": "0", "ONEDNN_MAX_CPU_ISA": "AVX2"}
# Writes the logits of token ids; its environment decides about the arithmetic, which is chosen once in a process.
ASK = """
import json, sys
import ctranslate2, numpy as np
folder, rows, out, threads = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3], int(sys.argv[4])
generator = ctranslate2.Generator(folder, device="cpu", intra_threads=threads)
np.savez(out, *[np.asarray(generator.forward_batch([row]), np.float32)[0] for row in rows])
"""


@pytest.fixture(scope="module")
def model(small: GPT2Backbone, tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model artifact's folder: its checkpoint, its prompt.json and its 8-bit generator."""
    folder = tmp_path_factory.mktemp("int8")
    export_model(small, tokenizer, folder, GENERATION, (TRANSFORMERS, INT8))
    return folder


@pytest.fixture(scope="module")
def saturating(small: GPT2Backbone, tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator as CTranslate2 itself quantises it: each row's largest weight becomes 127."""
    folder = tmp_path_factory.mktemp("saturating")
    write(TrainedModel(small, tokenizer), folder, quantization="int8_float32")
    return folder


@pytest.fixture(scope="module")
def requests(model: Path) -> Requests:
    return requests_of(model, PROMPTS, rows=[("Say hello.", "", "pear")], new_tokens=4)


@pytest.fixture(scope="module")
def reference(model: Path, requests: Requests) -> Answers:
    return asked(TRANSFORMERS, model, requests)


def ask(folder: Path, rows: list[list[str]], out: Path, machine: Mapping[str, str], threads: int) -> list[np.ndarray]:
    """Logits float32 [T, V] of each row of tokens, from a process with the machine's variables."""
    command = [sys.executable, "-c", ASK, str(folder), json.dumps(rows), str(out), str(threads)]
    subprocess.run(command, check=True, env=os.environ | machine, timeout=120)
    with np.load(out) as answers:
        return list(answers.values())


def rows_of(requests: Requests, tokenizer: Tokenizer) -> list[list[str]]:
    return [[tokenizer.id_to_token(token) for token in ids] for ids in requests.prompt_ids]


@given(
    arrays.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(2, 9)), elements=st.floats(-1e3, 1e3, width=32))
)
def test_no_two_weights_of_a_row_can_saturate_and_each_is_rounded_to_the_nearest_step(weights: np.ndarray) -> None:
    rounded, scale = quantize_rows(weights)
    largest = np.sort(np.abs(rounded.astype(int)), axis=1)

    assert (rounded.dtype, scale.dtype, scale.shape) == (np.int8, np.float32, (len(weights),))
    assert (largest[:, -2:].sum(axis=1) * 255 <= np.iinfo(np.int16).max).all()
    assert largest.max() <= 127
    # Half a step, and float32's rounding of the quotient, at most 127 of its last places.
    assert (np.abs(rounded - weights * scale[:, None].astype(np.float64)) <= 0.5 + 127 * 2**-23).all()


def test_the_steps_are_as_fine_as_the_two_largest_weights_allow() -> None:
    weights = np.array([[1.0, -1.0, 0.5], [1.0, 0.001, -0.0005], [0.0, 0.0, 0.0]], np.float32)
    rounded, scale = quantize_rows(weights)

    assert rounded.tolist() == [[64, -64, 32], [127, 0, 0], [0, 0, 0]]
    assert scale == pytest.approx([64, 127, 1], rel=1e-4)


def test_the_exported_generator_is_safe_and_stores_what_was_rounded(model: Path, small: GPT2Backbone) -> None:
    weights = read_weights(model / "exports/ctranslate2")
    rounded, scale = quantize_rows(np.asarray(small.token_embedding.embeddings))

    assert unsafe_rows(model / "exports/ctranslate2")[0] == 0
    np.testing.assert_array_equal(weights["decoder/embeddings/weight"], rounded)
    np.testing.assert_array_equal(weights["decoder/projection/weight_scale"], scale)
    assert {name for name, weight in weights.items() if weight.dtype == np.int8 and weight.ndim == 2} == {
        "decoder/embeddings/weight",
        "decoder/projection/weight",
        *(
            f"decoder/layer_{number}/{part}/weight"
            for number in (0, 1)
            for part in ("self_attention/linear_0", "self_attention/linear_1", "ffn/linear_0", "ffn/linear_1")
        ),
    }


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: " ".join(f"{k}={v}" for k, v in machine.items()))
def test_8_bits_give_what_the_arithmetic_says_on_every_library_and_instruction_set(
    machine: Mapping[str, str], threads: int, model: Path, requests: Requests, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    found = ask(model / "exports/ctranslate2", rows_of(requests, tokenizer), tmp_path / "logits.npz", machine, threads)
    exact = generator_logits(GPT2, model / "exports/ctranslate2")
    reference = GPT2.reference_logits(model / "exports/transformers")

    for ids, logits in zip(requests.prompt_ids, found, strict=True):
        rounding = logits_distance(list(reference(ids)), list(exact(ids)))
        # Nearer to the computed arithmetic than that is to the model: float32's last digits move few roundings.
        assert logits_distance(list(exact(ids)), list(logits)) < rounding / 2


def test_saturated_products_are_what_a_processor_without_vnni_makes_of_unsafe_weights(
    saturating: Path, requests: Requests, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    found = ask(saturating, rows_of(requests, tokenizer), tmp_path / "logits.npz", SATURATING, 1)
    saturated = generator_logits(GPT2, saturating, multiply=saturated_products)
    exact = generator_logits(GPT2, saturating, multiply=exact_products)

    for ids, logits in zip(requests.prompt_ids, found, strict=True):
        near = logits_distance(list(saturated(ids)), list(logits))
        assert near < logits_distance(list(exact(ids)), list(logits)) / 2


@pytest.fixture
def with_unsafe_weights(model: Path, saturating: Path, tmp_path: Path) -> Path:
    """The model artifact with the other generator in the place of its own."""
    folder = Path(shutil.copytree(model, tmp_path / "model"))
    shutil.copytree(saturating, folder / "exports/ctranslate2", dirs_exist_ok=True)
    return folder


def test_a_saturated_product_is_found_and_named_on_every_machine(
    with_unsafe_weights: Path, requests: Requests, reference: Answers
) -> None:
    generator = with_unsafe_weights / "exports/ctranslate2"
    answers = ask_logits(generator_logits(GPT2, generator, multiply=saturated_products), requests)
    reasons = reasons_in(compare({"transformers": reference, "ctranslate2": answers}, with_unsafe_weights, requests))

    assert reasons[0].startswith("ctranslate2 disagrees with transformers on ")
    assert reasons[1].startswith(
        "ctranslate2 has weights whose products saturate on processors without VNNI instructions, as they did here: "
        "no two of a row may exceed 128 together. Received: larger ones in "
    )


def test_weights_that_would_saturate_elsewhere_are_named_where_they_do_not(
    with_unsafe_weights: Path, requests: Requests, reference: Answers
) -> None:
    answers = ask_logits(generator_logits(GPT2, with_unsafe_weights / "exports/ctranslate2"), requests)
    reasons = reasons_in(compare({"transformers": reference, "ctranslate2": answers}, with_unsafe_weights, requests))

    (reason,) = reasons
    assert reason.startswith(
        "ctranslate2 has weights whose products saturate on processors without VNNI instructions: no two"
    )


def test_a_model_that_learnt_nothing_is_judged_by_its_own_rounding(
    small: GPT2Backbone, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    blank = make_backbone(tokenizer)
    blank.set_weights([weight / 20 for weight in blank.get_weights()])  # as they were drawn: nearly equal logits
    export_model(blank, tokenizer, tmp_path, GENERATION, (TRANSFORMERS, INT8))
    requests = requests_of(tmp_path, PROMPTS, rows=[("Say hello.", "", "pear")], new_tokens=4)
    found = {form.name: asked(form, tmp_path, requests) for form in (TRANSFORMERS, INT8)}
    report = compare(found, tmp_path, requests)

    assert reasons_in(report) == []
    assert report["ctranslate2"]["rounding"] > report["ctranslate2"]["largest"] / 2


def test_the_log_of_the_library_tells_what_it_ran_on() -> None:
    head = "[2026-11-25 16:24:57.885] [ctranslate2] [thread 1] [info] "
    lines = ("CPU: AuthenticAMD (AVX2=true)", " - Selected ISA: AVX2", " - SGEMM backend: DNNL (packed: false)",
             " - GEMM_S8 backend: MKL (packed: false, u8s8 preferred: true)")  # fmt: skip
    log = "\n".join(head + line for line in lines)

    assert arithmetic_in(f"{log}\n{head} - Selected compute type: int8_float32") == "int8_float32 by MKL on AVX2"
    assert arithmetic_in(f"{log}\n{head} - Selected compute type: float32") == "float32 by DNNL on AVX2"
    assert arithmetic_in("TensorFlow binary is optimized") is None
