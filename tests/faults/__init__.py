"""What goes wrong around a swap, done to real daemons on real nodes: reorgs, partitions, floods."""
