"""The trained model on packed rows: where its weights come from, adapters, attention, loss. Any Keras backend."""
