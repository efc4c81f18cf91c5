"""How rows become prompts: a module per format."""
