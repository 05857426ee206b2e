"""The loop bench: planted faults in training loops and sound loops, and what the audit says of them."""
