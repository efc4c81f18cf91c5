"""What Transform, Tuner and Trainer are told, as frozen, typed groups: a module for each of them."""
