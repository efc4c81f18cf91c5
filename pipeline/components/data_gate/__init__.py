"""DataGate: stops the run on bad data, with the anomalies' own words, before training on it."""
