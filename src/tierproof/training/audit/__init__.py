"""Records a few of the user's own training steps and judges them by exact rules."""
