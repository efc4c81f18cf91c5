"""The routes, by who asks."""
