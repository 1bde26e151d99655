"""What the operator can ask and order: the engine's side of the control API."""
