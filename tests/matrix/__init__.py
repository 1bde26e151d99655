"""Every ordered pair of assets by every way a swap can go, on real nodes: a table."""
