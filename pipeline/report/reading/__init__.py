"""Artifacts in, facts out.

files.py        finds an artifact's files; what is gone or unreadable becomes a note, not an error
run.py          everything about a run, from the readers below
data.py         StatisticsGen, ExampleValidator, DataGate, the rows themselves
training.py     the Trainer's report and its TensorBoard events
evaluation.py   verdict, metrics, thresholds, serving proof
answers.py      sample answers and generation quality
exports.py      forms of the model on disk, what was published
settings.py     the configuration, from what the components were told
"""
