from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from keras_hub.models import GPT2Backbone
from tokenizers import Tokenizer

from modules.models.gpt2.tokenizer import end_token_id
from modules.prompts import ALPACA
from modules.serving.generation import TextGenerator, filter_logits
from modules.serving.signatures import ServingModule
from modules.settings.generation import GenerationSettings

pytestmark = pytest.mark.arithmetic

DEFAULTS = GenerationSettings(max_new_tokens=8)
PROMPTS = ["pear", "Sort the words.\n\n### Input:\napple", "🙂 héllo", "apple, pear\n"]


@pytest.fixture(scope="module")
def module(backbone: GPT2Backbone, tokenizer: Tokenizer) -> ServingModule:
    return ServingModule(TextGenerator(backbone, tokenizer), DEFAULTS)


def greedy_without_cache(backbone: GPT2Backbone, tokenizer: Tokenizer, prompt: str, *, steps: int) -> bytes:
    """The plain definition: the whole sequence through the whole model for each token."""
    ids = tokenizer.encode(prompt).ids or [end_token_id(tokenizer)]
    new: list[int] = []
    for _ in range(steps):
        tokens = np.array([ids + new])
        hidden = backbone({"token_ids": tokens, "padding_mask": np.ones_like(tokens)})
        token = int(np.argmax(backbone.token_embedding(hidden, reverse=True)[0, -1]))
        if token == end_token_id(tokenizer):
            break
        new.append(token)
    return tokenizer.decode(new).encode()


def respond(module: ServingModule, prompts: list[str], **decoding: object) -> list[bytes]:
    return module.serve(tf.constant(prompts), **decoding)["response"].numpy().tolist()


def test_greedy_answers_equal_a_plain_loop_without_cache(
    module: ServingModule, backbone: GPT2Backbone, tokenizer: Tokenizer
) -> None:
    for prompt, response in zip(PROMPTS, respond(module, PROMPTS), strict=True):
        expected = greedy_without_cache(backbone, tokenizer, prompt, steps=8)
        assert response.decode(errors="replace").encode() == expected


def test_an_answer_does_not_depend_on_its_neighbours_in_the_batch(module: ServingModule) -> None:
    assert respond(module, PROMPTS) == [respond(module, [prompt])[0] for prompt in PROMPTS]


def test_an_empty_prompt_gets_an_answer(module: ServingModule) -> None:
    assert len(respond(module, ["", "pear"])) == 2


def test_the_instruct_signature_formats_as_training_did(module: ServingModule) -> None:
    answered = module.instruct(tf.constant(["Sort", "Name"]), tf.constant(["pear", " "]))["response"].numpy().tolist()
    assert answered == respond(module, [ALPACA.format("Sort", "pear"), ALPACA.format("Name", " ")])


def test_generation_stops_at_the_end_token(backbone: GPT2Backbone, tokenizer: Tokenizer) -> None:
    longest = respond(ServingModule(TextGenerator(backbone, tokenizer), DEFAULTS), ["pear"])[0]
    generator = TextGenerator(backbone, tokenizer)
    # Whatever token comes fourth, let it be the end token.
    ids = [int(i) for i in np.asarray(generator.tokenizer.tokenize([longest.decode(errors="ignore")])[0])]
    fourth = greedy_ids(backbone, tokenizer, "pear", steps=4)[3]
    generator.end_token_id = fourth
    stopped = respond(ServingModule(generator, DEFAULTS), ["pear"])[0]
    assert len(ids) > 0
    assert longest.startswith(stopped)
    assert len(stopped) < len(longest)


def greedy_ids(backbone: GPT2Backbone, tokenizer: Tokenizer, prompt: str, *, steps: int) -> list[int]:
    ids = tokenizer.encode(prompt).ids
    for _ in range(steps):
        tokens = np.array([ids])
        hidden = backbone({"token_ids": tokens, "padding_mask": np.ones_like(tokens)})
        ids.append(int(np.argmax(backbone.token_embedding(hidden, reverse=True)[0, -1])))
    return ids[-steps:]


def test_max_new_tokens_limits_the_answer_and_is_kept_inside_the_context(module: ServingModule) -> None:
    one, all_ = respond(module, ["pear"], max_new_tokens=tf.constant(1)), respond(module, ["pear"])
    assert all_[0].startswith(one[0])
    assert len(respond(module, ["pear"], max_new_tokens=tf.constant(10_000))) == 1


def test_a_prompt_beyond_the_context_keeps_its_end(module: ServingModule, tokenizer: Tokenizer) -> None:
    long = "apple, " * 200 + "pear"
    kept = tokenizer.decode(tokenizer.encode(long).ids[-(64 - 8) :])
    assert respond(module, [long]) == respond(module, [kept])


def test_the_same_seed_gives_the_same_answer_and_another_seed_another(module: ServingModule) -> None:
    hot = {"temperature": tf.constant(5.0), "max_new_tokens": tf.constant(20)}
    first, again, other = (respond(module, ["pear"], seed=tf.constant(seed), **hot) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_top_k_of_one_is_greedy(module: ServingModule) -> None:
    sampled = respond(module, PROMPTS, temperature=tf.constant(1.0), top_k=tf.constant(1))
    assert sampled == respond(module, PROMPTS)


def test_a_tiny_top_p_is_greedy(module: ServingModule) -> None:
    sampled = respond(module, PROMPTS, temperature=tf.constant(1.0), top_p=tf.constant(1e-6))
    assert sampled == respond(module, PROMPTS)


@pytest.mark.parametrize(
    ("top_k", "top_p", "kept"),
    [
        (0, 1.0, [True, True, True, True]),
        (2, 1.0, [False, False, True, True]),
        (0, 0.6, [False, False, False, True]),
        (0, 0.65, [False, False, True, True]),
        (3, 0.99, [False, True, True, True]),
    ],
)
def test_filters_keep_exactly_the_likely_tokens(top_k: int, top_p: float, kept: list[bool]) -> None:
    logits = tf.math.log(tf.constant([[0.05, 0.1, 0.21, 0.64]]))
    filtered = filter_logits(logits, top_k=tf.constant(top_k), top_p=tf.constant(top_p)).numpy()[0]
    assert np.isfinite(filtered).tolist() == kept
