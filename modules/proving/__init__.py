"""Proof that the exported forms of a model serve: the requests, asked in a fresh process each, and how far answers
agree."""
