"""The parts of the model card that are the same for every model."""

# By what the model was trained on.
PURPOSES = {
    "instructions": (
        "to follow instructions: it is given an instruction, and optionally an input, and writes one response."
    ),
    "text": "to continue text: it is given the beginning of a document and writes on.",
}
KIND_TAGS = {"instructions": ("instruction-following", "alpaca-format"), "text": ("base-model",)}
EXAMPLES = {"instructions": "Name the capital of France.", "text": "Once upon a time"}
_LIMITS = """
It is a small language model. It repeats what it was trained on, it can be wrong while sounding sure, it knows nothing
that its data does not hold, and it was neither aligned nor filtered for safety. Do not rely on what it writes where a
wrong answer does harm (medicine, law, money, decisions about people), and check it before you pass it on. Its data are
in English; in other languages it was not tried.
"""
USE = {
    "instructions": f"""
Made to show a complete path from a table of instructions to a published model, for learning, experiments, and as a
starting point for other data. It answers one instruction at a time and remembers nothing of earlier ones.
{_LIMITS}""",
    "text": f"""
A base model, made as a starting point: it continues text and follows no instructions. To be fine-tuned, or looked at.
{_LIMITS}""",
}

NO_LICENSE = """
No licence is claimed: the data that the model was trained on came without one, and its publisher named none. Ask the
publisher before you use the model.
""".strip()

NON_COMMERCIAL = (
    "That licence forbids commercial use of the data, so this model is published under the same terms: "
    "for research and personal use only."
)

SLICES = """
Measured on the evaluation split through the published SavedModel's own scoring, weighted by response tokens: loss is
the mean negative log-likelihood of a response token in nats, token accuracy the share of response tokens that the model
finds likeliest, and bits per byte does not depend on the tokenizer.
""".strip()

# What the tables call a metric; one that is not here has its own name.
WORDS = {
    "token_accuracy": "token accuracy",
    "bits_per_byte": "bits per byte",
    "scored_rows": "rows scored",
    "tokens": "response tokens",
}

DATA_DIGEST = """
The rows that the model was trained and evaluated on, as one number each: the sha256 of all rows' sha256 in sorted
order, so that it depends on the rows (prompt and response as formatted above) but not on their order.
""".strip()

LOADING_INTRODUCTION = "All of these load this very revision; leave the revision out for the newest one."


def _ctranslate2(folder: str, kind: str) -> str:
    return _CTRANSLATE2.replace("<<folder>>", folder).replace("<<kind>>", kind)


_CTRANSLATE2 = """
CTranslate2 (<<kind>>):

```python
import ctranslate2
from huggingface_hub import snapshot_download
from tokenizers import Tokenizer

folder = snapshot_download(
    "<<repo_id>>", revision="<<revision>>", allow_patterns=["<<folder>>/*", "tokenizer.json"]
)
tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
generator = ctranslate2.Generator(f"{folder}/<<folder>>")
prompt = "<<prompt>>"
result = generator.generate_batch(
    [tokenizer.encode(prompt).tokens],
    max_length=<<max_new_tokens>>,
    include_prompt_in_result=False,
    end_token="<<end_token>>",
)
print(tokenizer.decode(result[0].sequences_ids[0]))
```
"""
# By export. <<name>> is filled in by card.py.
LOADING = {
    "transformers": """
Transformers:

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("<<repo_id>>", revision="<<revision>>")
model = AutoModelForCausalLM.from_pretrained("<<repo_id>>", revision="<<revision>>")
prompt = "<<prompt>>"
tokens = tokenizer(prompt, return_tensors="pt")
answer = model.generate(**tokens, max_new_tokens=<<max_new_tokens>>, eos_token_id=<<end_token_id>>)
print(tokenizer.decode(answer[0][tokens["input_ids"].shape[1]:], skip_special_tokens=True))
```
""",
    "keras": """
KerasHub:

```python
import keras_hub
import numpy as np
from huggingface_hub import snapshot_download
from tokenizers import Tokenizer

folder = snapshot_download("<<repo_id>>", revision="<<revision>>", allow_patterns=["keras/*", "tokenizer.json"])
tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
model = keras_hub.models.GPT2CausalLM.from_preset(f"{folder}/keras", preprocessor=None)
model.compile(sampler="greedy")
prompt = "<<prompt>>"
ids = tokenizer.encode(prompt).ids
room = min(<<max_new_tokens>>, <<context_length>> - len(ids))
tokens = {
    "token_ids": np.array([ids + [0] * room]),
    "padding_mask": np.array([[True] * len(ids) + [False] * room]),
}
answer = model.generate(tokens, stop_token_ids=[<<end_token_id>>])
written = answer["token_ids"][0][answer["padding_mask"][0]][len(ids):]
print(tokenizer.decode(written))
```

Do not leave the tokenizer to KerasHub 0.32: the one in the preset parts `\\n\\n` and numbers otherwise than GPT-2 does,
and its `generate` puts a start token in front that this model was trained without; answers get worse. The weights alone
also load from the repository's root: `keras_hub.models.GPT2Backbone.from_preset("hf://<<repo_id>>")`.
""",
    "ctranslate2": _ctranslate2("ctranslate2", "8-bit, light, fast on a CPU"),
    "saved_model": """
TensorFlow (the SavedModel formats and tokenises by itself; it needs only `tensorflow` and `tensorflow-text`):

```python
import tensorflow as tf
import tensorflow_text  # registers the tokenizer's operations
from huggingface_hub import snapshot_download

folder = snapshot_download("<<repo_id>>", revision="<<revision>>", allow_patterns="saved_model/*")
model = tf.saved_model.load(f"{folder}/saved_model")
answer = model.instruct(tf.constant(["<<instruction>>"]), tf.constant([""]))
print(answer["response"][0].numpy().decode())
```

TensorFlow Serving serves the folder as it is: `tensorflow_model_server --model_base_path=…` with `saved_model` as its
version `1`.
""",
    "ctranslate2_float32": _ctranslate2("ctranslate2_float32", "float32: four times as large, no rounding"),
    "adapter": """
PEFT (the trained adapter alone, over the model that it was trained on):

```python
from peft import PeftConfig, PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

adapter = {"revision": "<<revision>>", "subfolder": "adapter"}
base = PeftConfig.from_pretrained("<<repo_id>>", **adapter).base_model_name_or_path
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), "<<repo_id>>", **adapter)
tokenizer = AutoTokenizer.from_pretrained("<<repo_id>>", revision="<<revision>>")
prompt = "<<prompt>>"
tokens = tokenizer(prompt, return_tensors="pt")
answer = model.generate(**tokens, max_new_tokens=<<max_new_tokens>>, eos_token_id=<<end_token_id>>)
print(tokenizer.decode(answer[0][tokens["input_ids"].shape[1]:], skip_special_tokens=True))
```
""",
}
