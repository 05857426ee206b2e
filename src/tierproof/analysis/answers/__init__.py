"""What a model's output answers for each row: a class, the next token, a class at each position, or a vector."""
