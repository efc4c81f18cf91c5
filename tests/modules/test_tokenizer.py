from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from modules.models.gpt2 import tokenizer as tokenizers_
from modules.models.gpt2.graph_tokenizer import GraphTokenizer
from modules.prompts import ALPACA

SHARED_TOKENIZER = Path(__file__).parents[3] / "shared" / "tokenizer" / "gpt2"
TEXTS = [
    ALPACA.format("Sort the words.", "pear, apple"),
    "don't  stop,   it's 12:30 …\n\n\tdone ",
    "Füße, naïve, 東京 🙂🙃 — “quoted”",
    " leading and trailing  ",
    "",
]


def test_the_end_token_is_one_token_and_never_made_from_text(tokenizer: Tokenizer) -> None:
    end = tokenizers_.end_token_id(tokenizer)
    assert tokenizer.id_to_token(end) == "<|endoftext|>"
    assert end not in tokenizer.encode("say <|endoftext|> now").ids


@pytest.mark.parametrize("text", TEXTS)
def test_text_survives_the_round_trip(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


@pytest.fixture(scope="module")
def in_graph(tokenizer: Tokenizer) -> Callable[[list[str]], list[list[int]]]:
    return graph_function(tokenizer)


def graph_function(tokenizer: Tokenizer) -> Callable[[list[str]], list[list[int]]]:
    function = tf.function(
        GraphTokenizer(tokenizer).tokenize,
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )
    return lambda texts: function(tf.constant(texts)).to_list()


def test_the_serving_graph_makes_the_ids_that_training_makes(
    tokenizer: Tokenizer, in_graph: Callable[[list[str]], list[list[int]]]
) -> None:
    assert in_graph(TEXTS) == [tokenizer.encode(text).ids for text in TEXTS]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(
        st.one_of(st.sampled_from(" \n\t\r\v\f\xa0\u2003\u3000'"), st.sampled_from("'stremvld19#.é東🙂")),
        max_size=30,
    )
)
def test_white_space_and_contractions_split_as_in_training(
    tokenizer: Tokenizer, in_graph: Callable[[list[str]], list[list[int]]], text: str
) -> None:
    assert in_graph([text]) == [tokenizer.encode(text).ids]


def test_the_serving_graph_turns_ids_back_into_the_text(tokenizer: Tokenizer) -> None:
    ids = tf.ragged.constant([tokenizer.encode(text).ids for text in TEXTS], dtype=tf.int32)
    detokenize = tf.function(GraphTokenizer(tokenizer).detokenize, autograph=False)
    assert [text.decode() for text in detokenize(ids).numpy()] == TEXTS


def test_saved_files_load_as_the_same_tokenizer(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizers_.save_tokenizer(tokenizer, tmp_path)
    loaded = [tokenizers_.load_tokenizer(tmp_path), Tokenizer.from_file(str(tmp_path / "tokenizer.json"))]
    for other in loaded:
        assert [other.encode(text).ids for text in TEXTS] == [tokenizer.encode(text).ids for text in TEXTS]
    vocabulary = json.loads((tmp_path / "vocab.json").read_text())
    assert vocabulary["<|endoftext|>"] == len(vocabulary) - 1, "last, as in GPT-2: KerasHub pads with id 0"


def test_keras_and_tokenizers_convert_into_each_other(tokenizer: Tokenizer) -> None:
    back = tokenizers_.from_keras(tokenizers_.to_keras(tokenizer))
    assert tokenizers_.vocabulary_and_merges(back) == tokenizers_.vocabulary_and_merges(tokenizer)


def test_a_vocabulary_without_room_for_all_bytes_is_refused() -> None:
    with pytest.raises(tokenizers_.TokenizerError, match=r"at least 257 entries .* Received: vocabulary_size=256"):
        tokenizers_.train_tokenizer(["a"], vocabulary_size=256)


def test_a_folder_without_merges_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text("{}")
    with pytest.raises(tokenizers_.TokenizerError, match=r"without merges\.txt"):
        tokenizers_.load_tokenizer(tmp_path)


def test_a_vocabulary_without_end_token_is_refused() -> None:
    with pytest.raises(tokenizers_.TokenizerError, match="Received: 1 entries without it"):
        tokenizers_.from_vocabulary({"a": 0}, [])


@pytest.mark.skipif(not SHARED_TOKENIZER.is_dir(), reason="GPT-2's own tokenizer files are not beside this checkout")
def test_the_serving_graph_agrees_on_gpt2s_own_vocabulary() -> None:
    tokenizer = tokenizers_.load_tokenizer(SHARED_TOKENIZER)
    assert tokenizer.encode("Hello world").ids == [15496, 995]
    assert tokenizer.encode("\n\n###").ids == [198, 198, 21017], "as GPT-2 was trained"
    assert graph_function(tokenizer)(TEXTS) == [tokenizer.encode(text).ids for text in TEXTS]
