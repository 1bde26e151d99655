"""The benchmark: `./dev bench`. Prints a table, and JSON lines for programs."""
