"""The pipeline's nodes, by stage: each module makes a few of them from the configuration."""
