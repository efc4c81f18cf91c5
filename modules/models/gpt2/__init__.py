"""GPT-2, as KerasHub has it."""
