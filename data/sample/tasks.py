"""The tasks of the sample data set: facts, and the phrasings that ask for them.

A phrasing is `instruction` or `instruction | input`. `{x}` stands for the fact's key; where that is a pair,
`{a}` and `{b}` stand for its parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from data.sample import facts


@dataclass(frozen=True, kw_only=True)
class Task:
    """Facts of one kind, and how they are asked."""

    name: str
    facts: Mapping[Any, str]  # key (a text, or a pair of numbers) to right answer
    trained: tuple[str, ...]  # phrasings of the train split
    unseen: tuple[str, ...]  # phrasings of the eval split alone
    trained_per_fact: int = 6  # how many of `trained` each fact gets
    eval_rows: int
    answer: str = "{y}"  # the response; `{y}` is the fact's value


def _neighbour(unit: str, side: str, neighbours: Mapping[str, str], *, eval_rows: int) -> Task:
    """Returns the task that asks for the day or month before or after another."""
    return Task(
        name=f"{unit}_{side}",
        facts=neighbours,
        eval_rows=eval_rows,
        trained=(
            f"Which {unit} comes {side} {{x}}?",
            f"What {unit} comes right {side} {{x}}?",
            f"Name the {unit} {side} {{x}}.",
            f"Tell me the {unit} that comes {side} {{x}}.",
            f"What is the {unit} {side} {{x}}?",
            f"Which {unit} comes {side} the {unit} below? | {{x}}",
            f"Name the {unit} {side} this {unit}. | {{x}}",
        ),
        unseen=(
            f"Which {unit} comes right {side} {{x}}?",
            f"Please name the {unit} {side} {{x}}.",
            f"Which {unit} comes {side} this {unit}? | {{x}}",
        ),
    )


TASKS = (
    Task(
        name="capital",
        facts=facts.CAPITALS,
        eval_rows=18,
        trained=(
            "What is the capital of {x}?",
            "Name the capital of {x}.",
            "Which city is the capital of {x}?",
            "Tell me the capital of {x}.",
            "Give the capital city of {x}.",
            "What is the capital city of {x}?",
            "Please name the capital of {x}.",
            "Name the capital of this country. | {x}",
            "What is the capital of the country below? | {x}",
            "Give the capital city of this country. | {x}",
        ),
        unseen=(
            "Please tell me the capital city of {x}.",
            "Which city is the capital city of {x}?",
            "Can you name the capital of {x}?",
            "Tell me the capital of this country. | {x}",
        ),
    ),
    Task(
        name="capital_sentence",
        facts=facts.CAPITALS,
        trained_per_fact=4,
        eval_rows=10,
        answer="The capital of {x} is {y}.",
        trained=(
            "In a full sentence, what is the capital of {x}?",
            "Name the capital of {x} in a full sentence.",
            "Tell me the capital of {x} in a full sentence.",
            "Write a full sentence that names the capital of {x}.",
            "Give the capital city of {x} in a full sentence.",
            "Write a full sentence that gives the capital of {x}.",
        ),
        unseen=(
            "In a full sentence, name the capital of {x}.",
            "Please name the capital of {x} in a full sentence.",
        ),
    ),
    Task(
        name="chemical_symbol",
        facts=facts.SYMBOLS,
        eval_rows=15,
        trained=(
            "What is the chemical symbol for {x}?",
            "Give the chemical symbol for {x}.",
            "Which chemical symbol stands for {x}?",
            "Tell me the chemical symbol of {x}.",
            "Write the chemical symbol for {x}.",
            "What is the symbol of the element {x}?",
            "Please give the chemical symbol of {x}.",
            "Give the chemical symbol of this element. | {x}",
            "What is the symbol of the element below? | {x}",
            "Write the chemical symbol for this element. | {x}",
        ),
        unseen=(
            "What is the chemical symbol of the element {x}?",
            "Please tell me the chemical symbol for {x}.",
            "Can you give the symbol of the element {x}?",
            "Tell me the chemical symbol of this element. | {x}",
        ),
    ),
    Task(
        name="noun_or_verb",
        facts=facts.PARTS_OF_SPEECH,
        eval_rows=16,
        trained=(
            "Is this word a noun or a verb? | {x}",
            "Decide whether the word is a noun or a verb. | {x}",
            "Tell me if the word below is a noun or a verb. | {x}",
            "Label the word as a noun or a verb. | {x}",
            "Noun or verb? | {x}",
            'Is the word "{x}" a noun or a verb?',
            'Decide whether "{x}" is a noun or a verb.',
            'Tell me if "{x}" is a noun or a verb.',
            'Label the word "{x}" as a noun or a verb.',
        ),
        unseen=(
            "Is the word below a noun or a verb? | {x}",
            "Decide whether this word is a noun or a verb. | {x}",
            "Please tell me if this word is a noun or a verb. | {x}",
            'Decide whether the word "{x}" is a noun or a verb.',
        ),
    ),
    Task(
        name="opposite",
        facts=facts.OPPOSITES,
        eval_rows=18,
        trained=(
            'What is the opposite of "{x}"?',
            'Give the opposite of the word "{x}".',
            'Which word is the opposite of "{x}"?',
            'Name the opposite of "{x}".',
            'Can you tell me the opposite of "{x}"?',
            "Give the opposite of this word. | {x}",
            "What is the opposite of the word below? | {x}",
            "Write the opposite of the word. | {x}",
            "Name the opposite of this word. | {x}",
        ),
        unseen=(
            'What is the opposite of the word "{x}"?',
            'Please give the opposite of "{x}".',
            "What is the opposite of this word? | {x}",
            "Tell me the opposite of the word below. | {x}",
        ),
    ),
    Task(
        name="plural",
        facts=facts.PLURALS,
        eval_rows=14,
        trained=(
            'What is the plural of "{x}"?',
            'Give the plural of the word "{x}".',
            'Write the plural form of "{x}".',
            'Please tell me the plural of "{x}".',
            'What is the plural form of the noun "{x}"?',
            "Give the plural of this word. | {x}",
            "Write the plural form of the noun below. | {x}",
            "What is the plural of the noun below? | {x}",
            "Make this noun plural. | {x}",
        ),
        unseen=(
            'Please give the plural form of "{x}".',
            'What is the plural of the word "{x}"?',
            "Write the plural of this noun. | {x}",
            "What is the plural form of this word? | {x}",
        ),
    ),
    Task(
        name="past_tense",
        facts=facts.PAST_TENSES,
        eval_rows=16,
        trained=(
            'What is the past tense of "{x}"?',
            'Give the past tense of the verb "{x}".',
            'Write the past tense form of "{x}".',
            'Can you tell me the past tense of "{x}"?',
            'What is the simple past tense of the verb "{x}"?',
            "Give the past tense of this verb. | {x}",
            "Write the simple past tense of the verb below. | {x}",
            "What is the past tense of the verb below? | {x}",
            "Put this verb into the past tense. | {x}",
        ),
        unseen=(
            'Please give the past tense of "{x}".',
            'What is the past tense of the verb "{x}"?',
            "Write the past tense of this verb. | {x}",
            "What is the simple past tense of this verb? | {x}",
        ),
    ),
    Task(
        name="young_animal",
        facts=facts.YOUNG_ANIMALS,
        eval_rows=8,
        trained=(
            "What is a young {x} called?",
            "What do you call a young {x}?",
            "Which word names a young {x}?",
            "Tell me what a young {x} is called.",
            "Give the word for a young {x}.",
            "Name the young of this animal. | {x}",
            "What are the young of the animal below called, in the singular? | {x}",
            "Give the word for a young animal of this kind. | {x}",
        ),
        unseen=(
            "Please tell me what a young {x} is called.",
            "Please give the word for a young {x}.",
            "What is a young animal of this kind called? | {x}",
        ),
    ),
    Task(
        name="color",
        facts=facts.COLORS,
        eval_rows=8,
        trained=(
            "What color is {x}?",
            "Which color is {x}?",
            "Name the color of {x}.",
            "Please tell me the color of {x}.",
            "What is the color of {x}?",
            "Give the color of {x}.",
            "What color is the thing below? | {x}",
            "Name the color of this. | {x}",
            "Give the color of the thing below. | {x}",
        ),
        unseen=(
            "Please name the color of {x}.",
            "Which color is the thing below? | {x}",
            "Tell me the color of this. | {x}",
        ),
    ),
    Task(
        name="category",
        facts=facts.CATEGORIES,
        eval_rows=16,
        trained=(
            "Is this an animal, a fruit, clothing or an instrument? | {x}",
            "Sort the word into a category: animal, fruit, clothing or instrument. | {x}",
            "Choose the category of the word: animal, fruit, clothing or instrument. | {x}",
            "Which category fits the word below: animal, fruit, clothing or instrument? | {x}",
            'Which category fits the word "{x}": animal, fruit, clothing or instrument?',
            'Choose the category of "{x}": animal, fruit, clothing or instrument.',
            'Sort "{x}" into a category: animal, fruit, clothing or instrument.',
        ),
        unseen=(
            "Choose a category for the word below: animal, fruit, clothing or instrument. | {x}",
            "Which category fits this word: animal, fruit, clothing or instrument? | {x}",
            'Choose a category for the word "{x}": animal, fruit, clothing or instrument.',
        ),
    ),
    _neighbour("day", "after", facts.DAYS_AFTER, eval_rows=4),
    _neighbour("day", "before", facts.DAYS_BEFORE, eval_rows=4),
    _neighbour("month", "after", facts.MONTHS_AFTER, eval_rows=7),
    _neighbour("month", "before", facts.MONTHS_BEFORE, eval_rows=7),
    Task(
        name="addition",
        facts=facts.SUMS,
        trained_per_fact=7,
        eval_rows=14,
        trained=(
            "What is {a} + {b}?",
            "What is {a} plus {b}?",
            "Add {a} and {b}.",
            "Calculate {a} + {b}.",
            "How much is {a} plus {b}?",
            "What is the sum of {a} and {b}?",
            "Add these two numbers. | {a} and {b}",
            "Calculate the sum. | {a} + {b}",
            "Find the sum of the numbers below. | {a} and {b}",
        ),
        unseen=(
            "How much is {a} + {b}?",
            "Calculate {a} plus {b}.",
            "Calculate the sum of {a} and {b}.",
            "Find the sum. | {a} + {b}",
        ),
    ),
    Task(
        name="subtraction",
        facts=facts.DIFFERENCES,
        trained_per_fact=8,
        eval_rows=10,
        trained=(
            "What is {a} - {b}?",
            "What is {a} minus {b}?",
            "Calculate {a} - {b}.",
            "How much is {a} minus {b}?",
            "Find {a} minus {b}.",
            "Please tell me {a} minus {b}.",
            "Calculate the difference. | {a} - {b}",
            "Find the difference of the numbers below. | {a} and {b}",
            "Calculate the result. | {a} - {b}",
        ),
        unseen=(
            "How much is {a} - {b}?",
            "Calculate {a} minus {b}.",
            "Find the difference. | {a} - {b}",
        ),
    ),
    Task(
        name="multiplication",
        facts=facts.PRODUCTS,
        eval_rows=10,
        trained=(
            "What is {a} x {b}?",
            "What is {a} times {b}?",
            "Multiply {a} by {b}.",
            "Calculate {a} x {b}.",
            "How much is {a} times {b}?",
            "What is the product of {a} and {b}?",
            "Multiply these two numbers. | {a} and {b}",
            "Calculate the product. | {a} x {b}",
            "Find the product of the numbers below. | {a} and {b}",
        ),
        unseen=(
            "How much is {a} x {b}?",
            "Calculate {a} times {b}.",
            "Calculate the product of {a} and {b}.",
            "Find the product. | {a} x {b}",
        ),
    ),
    Task(
        name="sort_words",
        facts=facts.SORTED_WORDS,
        trained_per_fact=7,
        eval_rows=12,
        trained=(
            "Sort these words alphabetically. | {x}",
            "Put the words in alphabetical order. | {x}",
            "Write these words in alphabetical order. | {x}",
            "Sort the words below from A to Z. | {x}",
            "Sort the list alphabetically. | {x}",
            "Put this list in order from A to Z. | {x}",
            "Sort these words alphabetically: {x}",
            "Put these words in alphabetical order: {x}",
        ),
        unseen=(
            "Put these words in alphabetical order. | {x}",
            "Write the words below in alphabetical order. | {x}",
            "Sort these words from A to Z. | {x}",
            "Write these words in alphabetical order: {x}",
        ),
    ),
)
