"""Executors: the places where batches are computed."""
