"""Stanford Alpaca, its cleaned edition, or a local file of the same schema, as TFRecords."""
