"""The notebooks: readable recipes, built into `.ipynb` files and run in a real kernel to be checked."""
