"""How few tokens turn a model's answer: searches led by gradients, and random search at equal forward passes."""
