"""Public notebooks on an image of Colab: what preflight says of them, against what pip itself would do."""
