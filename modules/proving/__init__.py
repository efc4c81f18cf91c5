"""Whether the exported forms of a model serve: what they are asked, each in a fresh process, and how far they agree."""
