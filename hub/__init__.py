"""A small server that speaks the Hub's HTTP protocol on loopback and stores repositories in a local folder.

It is spoken to by the real `huggingface_hub` client, so that a run publishes through the same code offline
as it does to the Hub itself.
"""

__version__ = "1.0"
