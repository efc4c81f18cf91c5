from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from modules.network.model import SegmentMask, training_model
from modules.training.dataset import BatchStream, DatasetError, PackedBatches, TokenizedExamples, tokenize_examples
from modules.training.packing import bucket_lengths, pack
from tests.modules.conftest import make_backbone

pytestmark = pytest.mark.arithmetic

PROMPTS = ["Sort the words.\n", "pear", "apple, pear and apple\n\n"]
RESPONSES = ["apple", "pear, apple", "a"]


@pytest.fixture(scope="module")
def examples(tokenizer: Tokenizer) -> TokenizedExamples:
    return tokenize_examples(PROMPTS, RESPONSES, tokenizer, sequence_length=64)


def test_the_supervised_ids_are_exactly_the_response_and_its_end_token(
    tokenizer: Tokenizer, examples: TokenizedExamples
) -> None:
    inputs, _, _ = PackedBatches(examples, sequence_length=64, batch_size=3, packing="none", shuffle=False)[0]
    supervised = tokenizer.decode(inputs["targets"][inputs["weights"] > 0].tolist(), skip_special_tokens=False)
    assert sorted(supervised.split("<|endoftext|>")) == sorted([*RESPONSES, ""])


def test_each_target_is_the_token_after_its_input(tokenizer: Tokenizer, examples: TokenizedExamples) -> None:
    batches = PackedBatches(examples, sequence_length=64, batch_size=1, shuffle=False)
    assert len(batches.rows) == 1, "all three fit in one row"
    inputs, _, _ = batches[0]
    used = inputs["weights"] > 0
    end = tokenizer.get_vocab_size() - 1
    ends = 0
    for position, target in zip(inputs["supervised"][used], inputs["targets"][used], strict=True):
        if target == end:
            ends += 1
        else:
            assert inputs["token_ids"][0][position + 1] == target
    assert ends == 3


def test_positions_restart_and_segments_count_up(examples: TokenizedExamples) -> None:
    inputs, _, _ = PackedBatches(examples, sequence_length=64, batch_size=1, shuffle=False)[0]
    segments, positions = inputs["segment_ids"][0], inputs["positions"][0]
    assert [positions[segments == segment].tolist() for segment in (1, 2, 3)] == [
        list(range(length)) for length in sorted(examples.lengths.tolist(), reverse=True)
    ]
    assert not segments[int(examples.lengths.sum()) :].any()


@given(
    st.lists(st.integers(1, 32), min_size=1, max_size=200),
    st.sampled_from(["best_fit", "buckets", "none"]),
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


# Of the largest gradient. In float64 only the tokens' weights are rounded, which batches hold in float32: 2^-24 each.
# In float32 2e-6 was measured, a few last digits of each product on the way back.
TOLERANCES = {"float64": 16 * 2**-24, "float32": 2e-5}
# Ill-conditioned weights in float64, where that does no harm: float32 has differences of 2e-4 with them, float64 of
# 2e-7, so those are rounding and not other examples.
FACTORS = {"float64": 20, "float32": 5}
LEAKS = 50  # at least so many tolerances, where examples in one row see each other


def make_model(tokenizer: Tokenizer, dtype: str) -> keras.Model:
    return training_model(make_backbone(tokenizer, dtype=dtype, factor=FACTORS[dtype]), sequence_length=48)


def largest_difference(model: keras.Model, examples: TokenizedExamples, packing: str) -> float:
    """Of packed and unpacked gradients and losses, as a share of the largest gradient or the loss."""
    loss, unpacked = loss_and_gradients(model, examples, packing="none")
    packed_loss, packed = loss_and_gradients(model, examples, packing=packing)
    largest = max(np.abs(gradient).max() for gradient in unpacked)
    differences = [np.abs(one - other).max() / largest for one, other in zip(packed, unpacked, strict=True)]
    return float(max(*differences, abs(packed_loss - loss) / loss))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@settings(max_examples=5, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.text("aplers ,", min_size=1, max_size=12), st.text("aplers ,", min_size=1, max_size=8)),
        min_size=2,
        max_size=6,
    )
)
@example(rows=[("a", ",epa es "), (",aaa,aaas", ",")])
def test_packed_and_unpacked_losses_and_gradients_are_equal(
    tokenizer: Tokenizer, dtype: str, rows: list[tuple[str, str]]
) -> None:
    examples = tokenize_examples([p for p, _ in rows], [r for _, r in rows], tokenizer, sequence_length=48)
    model = make_model(tokenizer, dtype)
    for packing in ("best_fit", "buckets"):
        assert largest_difference(model, examples, packing) <= TOLERANCES[dtype]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_an_example_that_sees_another_one_is_far_outside_the_tolerance(
    tokenizer: Tokenizer, dtype: str, examples: TokenizedExamples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SegmentMask, "call", lambda self, ids: keras.ops.equal(ids[:, :, None] >= 0, ids[:, None] >= 0))
    assert largest_difference(make_model(tokenizer, dtype), examples, "best_fit") > LEAKS * TOLERANCES[dtype]


def loss_and_gradients(
    model: keras.Model, examples: TokenizedExamples, *, packing: str
) -> tuple[float, list[np.ndarray]]:
    """Of all examples, as one optimizer step."""
    settings = {"sequence_length": 48, "batch_size": 2, "packing": packing}
    count = len(PackedBatches(examples, **settings))
    batches = PackedBatches(examples, accumulation_steps=count, **settings)
    assert batches.steps == 1
    variables = [variable.value for variable in model.trainable_variables]
    losses, gradients = [], []
    for index in range(count):
        with tf.GradientTape() as tape:
            model(batches[index][0], training=True)
            (loss,) = model.losses
        losses.append(float(loss))
        gradients.append([tf.convert_to_tensor(gradient).numpy() for gradient in tape.gradient(loss, variables)])
    return float(np.mean(losses)), [np.mean(parts, axis=0) for parts in zip(*gradients, strict=True)]


def test_buckets_make_batches_of_short_rows_and_lose_none(tokenizer: Tokenizer) -> None:
    prompts, responses = ["x " * (3 * (i % 9)) for i in range(40)], ["pear"] * 40
    examples = tokenize_examples(prompts, responses, tokenizer, sequence_length=64)
    plain = PackedBatches(examples, sequence_length=64, batch_size=4, packing="none")
    batches = PackedBatches(examples, sequence_length=64, batch_size=4, packing="buckets")
    shapes = {batches[index][0]["token_ids"].shape for index in range(len(batches))}
    assert len(shapes) > 1
    assert all(rows == 4 * 64 // length for rows, length in shapes)
    assert sorted(e for index in range(len(batches)) for e in batches.examples_of(0, index)) == list(range(40))
    supervised = sum(np.count_nonzero(batches[index][2]) for index in range(len(batches)))
    assert supervised == examples.supervised_lengths.sum()
    assert batches.report().pad_fraction < plain.report().pad_fraction / 2


def test_bucket_lengths_rise_to_the_full_length() -> None:
    assert bucket_lengths(512) == [64, 96, 128, 192, 256, 384, 512]
    assert bucket_lengths(100) == [16, 24, 32, 40, 56, 80, 100]
    assert bucket_lengths(12) == [12]


def test_the_stream_begins_anywhere_and_goes_through_the_epochs(tokenizer: Tokenizer) -> None:
    examples = tokenize_examples([f"apple {i}" for i in range(10)], ["pear"] * 10, tokenizer, sequence_length=16)
    batches = PackedBatches(examples, sequence_length=16, batch_size=2, packing="none", seed=3)
    assert len(batches) == 5
    stream = BatchStream(batches, start=4, stop=11)
    assert len(stream) == 7
    for index, (epoch, batch) in enumerate([(0, 4), (1, 0), (1, 1), (1, 2), (1, 3), (1, 4), (2, 0)]):
        np.testing.assert_array_equal(stream[index][0]["token_ids"], batches.batch(epoch, batch)[0]["token_ids"])


def test_the_fingerprint_tells_other_rows_and_other_batches_apart(tokenizer: Tokenizer) -> None:
    def fingerprint(responses: list[str], **settings: int) -> str:
        examples = tokenize_examples(["a"] * len(responses), responses, tokenizer, sequence_length=16)
        return PackedBatches(examples, sequence_length=16, **{"batch_size": 2} | settings).fingerprint()

    one = fingerprint(["pear", "apple"])
    assert one == fingerprint(["pear", "apple"])
    assert len({one, fingerprint(["pear", "pear"]), fingerprint(["pear", "apple"], seed=1)}) == 3


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
    inputs, _, _ = batches[1]
    assert inputs["token_ids"].shape == (2, 64)
    assert not inputs["segment_ids"][1].any()
    assert inputs["weights"].sum() == pytest.approx(1.0)


@pytest.mark.parametrize("accumulation_steps", [1, 2, 3])
def test_the_weights_of_a_step_make_the_mean_over_its_tokens(tokenizer: Tokenizer, accumulation_steps: int) -> None:
    examples = tokenize_examples(
        [f"apple {i}" for i in range(11)], ["pear" * (1 + i % 4) for i in range(11)], tokenizer, sequence_length=16
    )
    batches = PackedBatches(
        examples, sequence_length=16, batch_size=2, packing="none", accumulation_steps=accumulation_steps, epochs=3
    )
    tokens = 0
    for _ in range(3):
        for step in range(batches.steps):
            weights = np.concatenate(
                [batches[step * accumulation_steps + i][0]["weights"] for i in range(accumulation_steps)]
            )
            tokens += (weights > 0).sum()
            assert weights.sum() == pytest.approx(accumulation_steps)
            assert len(set(weights[weights > 0].tolist())) == 1
        batches.on_epoch_end()
    assert tokens == 3 * examples.supervised_lengths.sum()


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
