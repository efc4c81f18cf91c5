"""ServingProof: every exported form of a model is loaded in a fresh process and must give the same answers.

component.py, executor.py   what TFX sees; the verdict is an InfraBlessing, record.py what it rests on
prove.py                    starts a process per form, two at a time; :mod:`modules.proving` is what runs there
"""
