"""The whole operations: install, uninstall, save, recover, roll back, collect garbage."""
