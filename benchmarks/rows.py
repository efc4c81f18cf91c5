"""Rows for the benchmarks: prompts and responses that every side gets."""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

from data.rows import read_rows
from modules.models.gpt2.tokenizer import load_tokenizer
from modules.prompts import ALPACA

Pair = tuple[str, str]


def add_row_flags(parser: argparse.ArgumentParser, *, rows: int) -> None:
    """Adds the flags of the rows and the tokenizer, and of how many rows are taken."""
    parser.add_argument("--data", type=Path, required=True, help="Alpaca rows: .json or .jsonl, also compressed")
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder with GPT-2's vocab.json and merges.txt")
    parser.add_argument("--rows", type=int, default=rows, help="rows to take, in an order drawn from --seed")
    parser.add_argument("--seed", type=int, default=0)


def take_pairs(options: argparse.Namespace, *, longest: int | None = None) -> list[Pair]:
    """Returns `options.rows` prompts and responses of at most `longest` tokens, end token included; or as many as
    there are."""
    rows = [row for row in read_rows(options.data) if row.instruction.strip() and row.output.strip()]
    random.Random(options.seed).shuffle(rows)
    tokenizer = load_tokenizer(options.tokenizer)
    pairs: list[Pair] = []
    for row in rows:
        if len(pairs) == options.rows:
            break
        prompt = ALPACA.format(row.instruction, row.input)
        if longest is None or len(tokenizer.encode(prompt + row.output).ids) < longest:
            pairs.append((prompt, row.output))
    return pairs


def write_pairs(pairs: list[Pair], path: Path) -> str:
    path.write_text(json.dumps(pairs), encoding="utf-8")
    return str(path)
