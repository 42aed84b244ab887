"""Figures: pictures for the report."""
