"""A model in memory, below the scheduler."""

from __future__ import annotations

import threading
import weakref
from pathlib import Path
from typing import Any

import ctranslate2
import pytest

from serving.answering.arithmetic import Arithmetic
from serving.answering.model import Model, ModelFiles
from serving.answering.prompt import Decoding
from serving.answering.scheduler import Scheduler


class Recording:
    """A generator that keeps every callback, as one does whose thread lets go of it late."""

    def __init__(self, generator: ctranslate2.Generator, callbacks: list[Any]) -> None:
        self._generator = generator
        self._callbacks = callbacks

    def generate_batch(self, *arguments: Any, **options: Any) -> Any:
        self._callbacks.append(options["callback"])
        return self._generator.generate_batch(*arguments, **options)


@pytest.mark.parametrize("seed", [None, 7], ids=["by chance", "seeded"])
def test_a_kept_callback_holds_nothing_once_the_answer_is_over(
    even_revision: Path, seed: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else the generator's own thread may be the last to hold the model, and aborts the process.
    callbacks: list[Any] = []

    def load(model: Model, *, workers: int) -> Recording:
        return Recording(ctranslate2.Generator(str(model.files.generator), inter_threads=workers), callbacks)

    monkeypatch.setattr(Model, "_load", load)
    monkeypatch.setattr(Arithmetic, "of", lambda *_: None)
    model = Model(ModelFiles.find(even_revision), lanes=1)
    scheduler = Scheduler(model)
    encoded = model.encode("Hello", max_new_tokens=4)
    (answer,) = scheduler.ask([(encoded.tokens, Decoding(max_new_tokens=4, temperature=1.0, seed=seed))])
    assert any(answer.pieces())
    scheduler.close()
    held = weakref.ref(model)
    assert len(callbacks) == 1

    del model, scheduler, answer
    assert held() is None


def test_models_come_and_go(even_revision: Path) -> None:
    for _ in range(20):
        scheduler = Scheduler(Model(ModelFiles.find(even_revision), lanes=1))
        encoded = scheduler.model.encode("Hello", max_new_tokens=2)
        (answer,) = scheduler.ask([(encoded.tokens, Decoding(max_new_tokens=2))])
        assert answer.error is None
        closing = threading.Thread(target=scheduler.close)
        closing.start()
        del scheduler, answer
        closing.join()
        del closing
