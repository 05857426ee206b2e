"""The command that audits a training step."""
