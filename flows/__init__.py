"""Machines: when, where and how often stages run, by DVC and Prefect. What a stage does stands in `pipeline`."""
