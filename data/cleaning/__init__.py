"""Cleaning of rows, one rule beside the other: each changes a row, or gives the reason for which it goes."""
