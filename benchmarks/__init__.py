"""How fast this is, against whom, and the scripts that repeat it: README.md has the table. `python -m benchmarks.NAME` prints its rows."""
