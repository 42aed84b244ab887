"""Objectives: functions to minimise."""
