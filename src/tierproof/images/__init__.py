"""Lists of packages on hosted notebook images, and what an install does on them."""
