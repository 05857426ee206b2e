"""How much of a model is in use: ranks, the residual stream, the logit lens, units, embeddings and experts."""
