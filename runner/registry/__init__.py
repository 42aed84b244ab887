"""The registry, which finds plugins, checks their classes, and creates plugins with their parameters.

registry.py           finds plugins
class_checks.py       checks their classes
catalogue.py          describes a plugin that was found
setting.py            creates a plugin with its parameters
code_fingerprint.py   the hash of a plugin's code, which shows if a stored run is out of date
identity.py           the hash of a run's settings, under which a run is stored
"""
