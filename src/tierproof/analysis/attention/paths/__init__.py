"""How positions reach the last layer through the attention of all layers: rollout and flow."""
