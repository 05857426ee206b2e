"""`tp.plan`, `tp.install`, `tp.doctor` and the other functions about packages."""
