"""Solves for the inputs of a forward: what its source and signature declare, and what its failures teach."""
