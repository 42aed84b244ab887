"""Gradient backends: ways to differentiate an objective."""
