"""The run: the only room that sees every stage, and where Dask is driven.

`run.nightly` and `run.replay` do the job; `plan` decides what is read, `task` is one tile and night, `deliver` turns
the tiles' answers into alerts and files, `state` is what one night leaves to the next, `workers` drives Dask.
"""
