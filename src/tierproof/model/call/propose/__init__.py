"""The ways in which a model may be called, before any is tried: given, by config, or guessed."""
