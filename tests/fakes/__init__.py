"""Working stand-ins for the ports: each passes the same behavioural suite as the real thing."""
