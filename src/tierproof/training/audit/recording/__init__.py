"""Records what one training step does, call by call, without changing it."""
