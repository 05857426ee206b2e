"""Sound models in the styles people write. Each file is self-contained and gives `build()`."""
