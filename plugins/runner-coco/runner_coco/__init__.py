"""Objective `bbob` for runner: one plugin, in `runner_coco.bbob`."""
