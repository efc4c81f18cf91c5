"""ImportExampleGen as this project uses it: rows without an input are completed, and dataset.json comes along.

component.py, executor.py   what TFX sees
"""
