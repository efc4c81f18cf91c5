from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from modules.dataset import DatasetError, PackedBatches, TokenizedExamples, pack, tokenize_examples
from modules.model import training_model
from tests.modules.conftest import make_backbone

PROMPTS = ["Sort the words.\n", "pear", "apple, pear and apple\n\n"]
RESPONSES = ["apple", "pear, apple", "a"]


@pytest.fixture(scope="module")
def examples(tokenizer: Tokenizer) -> TokenizedExamples:
    return tokenize_examples(PROMPTS, RESPONSES, tokenizer, sequence_length=64)


def test_the_supervised_ids_are_exactly_the_response_and_its_end_token(
    tokenizer: Tokenizer, examples: TokenizedExamples
) -> None:
    batches = PackedBatches(examples, sequence_length=64, batch_size=3, packing="none", shuffle=False)
    _, targets, weights = batches[0]
    answers = [
        tokenizer.decode(targets[row][weights[row] == 1].tolist(), skip_special_tokens=False) for row in range(3)
    ]
    assert sorted(answers) == sorted(f"{response}<|endoftext|>" for response in RESPONSES)


def test_each_target_is_the_token_after_its_input(tokenizer: Tokenizer, examples: TokenizedExamples) -> None:
    batches = PackedBatches(examples, sequence_length=64, batch_size=1, shuffle=False)
    inputs, targets, weights = batches[0]
    assert len(batches.rows) == 1, "all three fit in one row"
    row = inputs["token_ids"][0]
    positions = inputs["supervised"][0][weights[0] == 1]
    ends = [
        index for index, target in enumerate(targets[0][weights[0] == 1]) if target == tokenizer.get_vocab_size() - 1
    ]
    for slot, position in enumerate(positions):
        if slot not in ends:
            assert row[position + 1] == targets[0][slot]
    assert len(ends) == 3


def test_positions_restart_and_segments_count_up(examples: TokenizedExamples) -> None:
    inputs, _, _ = PackedBatches(examples, sequence_length=64, batch_size=1, shuffle=False)[0]
    segments, positions = inputs["segment_ids"][0], inputs["positions"][0]
    assert [positions[segments == segment].tolist() for segment in (1, 2, 3)] == [
        list(range(length)) for length in sorted(examples.lengths.tolist(), reverse=True)
    ]
    assert not segments[int(examples.lengths.sum()) :].any()


@given(
    st.lists(st.integers(1, 32), min_size=1, max_size=200),
    st.sampled_from(["best_fit", "none"]),
    st.integers(0, 3),
)
def test_packing_places_every_example_once_and_never_overfills(lengths: list[int], method: str, seed: int) -> None:
    rows = pack(np.array(lengths), capacity=32, method=method, rng=np.random.default_rng(seed))
    assert sorted(index for row in rows for index in row) == list(range(len(lengths)))
    assert all(sum(lengths[index] for index in row) <= 32 for row in rows)
    if method == "best_fit":
        # No two rows could be one: the guarantee that bounds best fit.
        loads = sorted(sum(lengths[index] for index in row) for row in rows)
        assert len(loads) < 2 or loads[0] + loads[1] > 32


@settings(max_examples=10, deadline=None)
@given(
    st.lists(
        st.tuples(st.text("aplers ,", min_size=1, max_size=12), st.text("aplers ,", min_size=1, max_size=8)),
        min_size=2,
        max_size=6,
    )
)
def test_packed_and_unpacked_losses_and_gradients_are_equal(tokenizer: Tokenizer, rows: list[tuple[str, str]]) -> None:
    examples = tokenize_examples([p for p, _ in rows], [r for _, r in rows], tokenizer, sequence_length=48)
    backbone = make_backbone(tokenizer)
    model = training_model(backbone, sequence_length=48)
    (packed_loss, packed), (loss, unpacked) = (
        loss_and_gradients(model, examples, packing=packing) for packing in ("best_fit", "none")
    )
    np.testing.assert_allclose(packed_loss, loss, rtol=1e-5)
    for one, other in zip(packed, unpacked, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def loss_and_gradients(
    model: keras.Model, examples: TokenizedExamples, *, packing: str
) -> tuple[float, list[np.ndarray]]:
    batches = PackedBatches(examples, sequence_length=48, batch_size=examples.rows, packing=packing)
    assert len(batches) == 1
    inputs, targets, weights = batches[0]
    loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="mean_with_sample_weight")
    with tf.GradientTape() as tape:
        loss = loss_fn(targets, model(inputs, training=False), sample_weight=weights)
    variables = [variable.value for variable in model.trainable_variables]
    gradients = tape.gradient(loss, variables)
    return float(loss), [tf.convert_to_tensor(gradient).numpy() for gradient in gradients]


def test_epochs_differ_in_order_and_repeat_from_the_seed(tokenizer: Tokenizer) -> None:
    prompts, responses = [f"apple {i}" for i in range(40)], ["pear"] * 40
    examples = tokenize_examples(prompts, responses, tokenizer, sequence_length=16)

    def orders(seed: int) -> list[list[int]]:
        batches = PackedBatches(examples, sequence_length=16, batch_size=2, seed=seed)
        first = [batches[i][0]["token_ids"].tolist() for i in range(len(batches))]
        batches.on_epoch_end()
        return [first, [batches[i][0]["token_ids"].tolist() for i in range(len(batches))]]

    assert orders(1) == orders(1)
    assert orders(1)[0] != orders(1)[1]


def test_the_last_batch_is_filled_with_rows_that_do_not_count(examples: TokenizedExamples) -> None:
    batches = PackedBatches(examples, sequence_length=64, batch_size=2, packing="none", shuffle=False)
    inputs, _, weights = batches[1]
    assert inputs["token_ids"].shape == (2, 64)
    assert weights[1].sum() == 0


def test_an_overlong_row_is_dropped_and_counted(tokenizer: Tokenizer) -> None:
    examples = tokenize_examples(["pear " * 50, "pear"], ["apple", "apple"], tokenizer, sequence_length=16)
    assert (examples.rows_read, examples.rows, examples.rows_dropped) == (2, 1, 1)


def test_an_overlong_prompt_loses_its_start_and_the_response_stays_whole(tokenizer: Tokenizer) -> None:
    examples = tokenize_examples(
        ["pear " * 50], ["apple, pear"], tokenizer, sequence_length=16, overlong="truncate_prompt"
    )
    assert examples.rows_truncated == 1
    assert examples.lengths.tolist() == [16]
    assert tokenizer.decode(examples.token_ids.tolist(), skip_special_tokens=False).endswith("apple, pear<|endoftext|>")


def test_a_response_that_never_fits_is_dropped_under_either_policy(tokenizer: Tokenizer) -> None:
    examples = tokenize_examples(
        ["a", "a"], ["🙃" * 50, "a"], tokenizer, sequence_length=16, overlong="truncate_prompt"
    )
    assert (examples.rows, examples.rows_dropped) == (1, 1)


def test_no_row_left_is_an_error_that_names_the_way_out(tokenizer: Tokenizer) -> None:
    with pytest.raises(DatasetError, match=r"Received: 1 rows, 1 of them longer\. Raise training\.sequence_length"):
        tokenize_examples(["pear " * 50], ["apple"], tokenizer, sequence_length=8)


def test_the_report_counts_what_training_sees(examples: TokenizedExamples) -> None:
    report = PackedBatches(examples, sequence_length=64, batch_size=2).report()
    assert (report.rows, report.packed_rows) == (3, 1)
    assert report.tokens == int(examples.lengths.sum())
    assert report.supervised_tokens == int(examples.supervised_lengths.sum())
    assert report.pad_fraction == pytest.approx(1 - report.tokens / 64)
