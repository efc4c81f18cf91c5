"""The model card: its facts, and how they are written."""
