"""Typed measurements that figures are drawn of: each gives its JSON document and reads it back, without torch."""
