"""The commands about hosted images: `images` and `preflight`."""
