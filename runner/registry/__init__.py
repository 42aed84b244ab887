"""The registry: finds plugins, checks their classes, and makes plugins with their parameters.

`registry.py` finds them, `class_checks.py` checks them, `setting.py` makes them, `code_fingerprint.py` and `identity.py` say
when a stored run still counts, and `catalogue.py` holds the description of a plugin.
"""
