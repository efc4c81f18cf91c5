"""Documents of raw text, for pre-training, as TFRecords."""
