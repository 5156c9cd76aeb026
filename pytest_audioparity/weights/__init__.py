"""Weights of models, read from the files of any framework and matched by content."""
