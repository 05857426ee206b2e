"""Makes a training step of what was given in its place: a model with its optimizer and loss, or a trainer."""
