"""ServingProof: every exported form of a model is loaded in a fresh process and must give the same answers.

component.py, executor.py   what TFX sees; the verdict is an InfraBlessing, record.py what it rests on
prove.py                    starts a process per form, two at a time
requests.py                 what is asked
forms.py                    the fresh process: loads one form, answers
tf_serving.py               TensorFlow Serving's gRPC requests, which the SavedModel is asked in
gpt2.py                     the reference: GPT-2 in NumPy, from the published safetensors
comparison.py               whether the answers agree
"""
