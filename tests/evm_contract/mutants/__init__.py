"""The contract broken on purpose, one line at a time: forge must notice."""
