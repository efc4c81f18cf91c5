"""`python -m data.prepare`: sources of any kind in, cleaned TFRecords with splits, manifest and report out."""
