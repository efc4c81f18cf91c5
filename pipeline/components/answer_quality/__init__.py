"""AnswerQuality: asks a model a fixed sample of the evaluation split and compares its answers with the expected ones.

component.py, executor.py   what TFX sees
artifact.py, record.py      what is left behind
sample.py                   which rows are asked
answering.py                the exported SavedModel asked, greedily
figures.py                  answers beside expected ones: exact match, ROUGE-L, BLEU, length, repetition
"""
