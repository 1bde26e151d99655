"""The behavioural suite of the `Chain` port, on the fake and on real nodes."""
