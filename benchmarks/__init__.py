"""What toolrouter is measured with. `python -m benchmarks.run` for retrieval; see README.md for every command."""
