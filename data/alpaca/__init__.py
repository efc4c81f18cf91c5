"""Stanford Alpaca and its cleaned edition: where they are, what they must hash to, and a TFDS builder."""
