"""The Hub's HTTP protocol, one module per topic; each gives its `ROUTES`."""
