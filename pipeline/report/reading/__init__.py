"""Turns the records in a run's artifacts into facts.

files.py        finds an artifact's record; what is gone or unreadable becomes a note, not an error
run.py          everything about a run, from the readers below
data.py         DataGate's record, the statistics and anomalies of TFX's own components
training.py     the Trainer's record and its TensorBoard events
evaluation.py   verdict, metrics, thresholds, serving proof
answers.py      sample answers and generation quality
exports.py      forms of the model on disk, what was published
settings.py     the configuration, from what the components were told
"""
