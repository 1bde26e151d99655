"""When a take fails on the taker's side: which error, what it costs (nothing), who is told."""
