"""Formats of files: the registry is `FORMATS` in `data.sources.files`, one entry per module here."""
