"""StartingPoint: a revision of a model repository as an artifact that Trainer starts from."""
