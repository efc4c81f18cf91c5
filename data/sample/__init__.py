"""The sample data set: small closed tasks a tiny model can learn in minutes."""
