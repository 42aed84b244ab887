"""Numerical building blocks that plugins share: line searches, layers, data sets."""
