"""DataGate: stops the run on bad data, with the anomalies' own words, before training on it.

component.py, executor.py   what TFX sees; record.py has what is left behind
anomalies.py                what may be found, by the names under which the configuration lets it through
inspection.py               one look at all the rows, and what comes of it
checks.py                   what nothing can be trained on, and what the schema forbids
survey.py, texts.py, rules.py    what the rows look like, and what is unusual about that
tokens.py                   how many rows are too long to train on, counted with the tokenizer of the training
earlier.py                  the rows of an earlier run to compare with
"""
