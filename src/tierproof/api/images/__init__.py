"""`tp.preflight` and the functions about hosted images."""
