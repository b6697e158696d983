"""Protocols: how embeddings are put to the test."""
