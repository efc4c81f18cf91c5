"""The forms in which a trained model is exported."""
