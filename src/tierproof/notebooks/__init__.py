"""The notebooks: recipes in plain Python, built into `.ipynb` files and run in a real kernel."""
