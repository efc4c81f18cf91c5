"""ServingProof: every exported form of a model is loaded in a fresh process and must give the same answers.

component.py, executor.py   what TFX sees; the verdict is an InfraBlessing
requests.py                 what is asked
gpt2.py                     the reference: GPT-2 in NumPy, from the published safetensors
prove.py                    the fresh process: loads each form, asks, compares
"""
