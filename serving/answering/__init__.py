"""Asks an exported model: prompt, decoding, and many answers at once. Knows nothing of HTTP."""
