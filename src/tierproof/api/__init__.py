"""The functions of the public contract, as `import tierproof as tp` offers them."""
