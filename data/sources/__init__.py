"""Sources of rows: files in every usual format, data sets of the Hub, TFDS and MongoDB, and the user's own.

`data.sources.kinds` is the registry; each kind is a module here, and each format of a file one in `formats/`.
"""
