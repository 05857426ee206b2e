"""The public functions, as `import tierproof as tp` offers them."""
