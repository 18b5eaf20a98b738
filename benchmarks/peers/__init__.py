"""Other libraries, each run as its own users would, for the benchmarks beside this folder."""
