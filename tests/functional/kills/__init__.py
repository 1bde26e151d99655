"""kill -9 of each daemon at every point of a swap's life, on real daemons and nodes."""
