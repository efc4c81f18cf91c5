"""Evaluator: scores the evaluation split with TensorFlow Model Analysis and blesses the model, or says why not.

component.py, executor.py   what TFX sees: TFX's own Evaluator inside, a readable verdict added
eval_config.py              what TFMA measures
metrics.py, slices.py       what TFMA computes, and over which rows
record.py                   what is left behind, with the figures and the reasons
baseline.py                 the model to compare with
verdict.py                  TFMA's result as figures to judge by; the rule is pipeline.evaluation's `Condition.holds`
"""
