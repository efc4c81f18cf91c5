"""Evaluator: scores the evaluation split with TensorFlow Model Analysis and blesses the model, or says why not.

component.py, executor.py   what TFX sees: TFX's own Evaluator inside, a readable verdict added
eval_config.py              the configuration's conditions as TFMA's
metrics.py, slices.py       what TFMA computes, and over which rows
baseline.py                 the model to compare with
verdict.py                  TFMA's result in words
"""
