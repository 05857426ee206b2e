"""Which inputs decide an answer: integrated gradients, gradient times input and ablation, side by side."""
