"""Settings of Transform, Tuner and Trainer, as frozen, typed groups: a module for each of them."""
