"""What a model is analysed on: the examples that a person brings, or synthetic ones."""
