"""What the cells of tierproof's notebooks call: a session with one method for each step."""
