"""A chat that shows text as it is: no Markdown, no HTML, no formulas, every space and line break in its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape, unescape
from typing import Any

import gradio as gr

Message = dict[str, Any]  # "role" and "content": a text, or a list of {"type": "text", "text": …}


class PlainChatbot(gr.Chatbot):
    """Gradio's chat puts even a message without Markdown into the page as HTML, so its text travels escaped."""

    is_template = True  # drawn by Gradio's own Chatbot

    def postprocess(self, value: Sequence[Message] | None) -> Any:
        return super().postprocess([_with_texts(message, escape) for message in value or ()])

    def preprocess(self, payload: Any) -> Any:
        return [_with_texts(message, unescape) for message in super().preprocess(payload)]


def _with_texts(message: Message, change: Callable[[str], str]) -> Message:
    """The message with its texts changed."""
    content = message["content"]
    texts = [content] if isinstance(content, str) else [part["text"] for part in content]
    return message | {"content": [{"type": "text", "text": change(text)} for text in texts]}
