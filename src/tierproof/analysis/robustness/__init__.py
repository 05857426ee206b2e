"""How much of a model's answers is left when its inputs, its embeddings or its precision change."""
