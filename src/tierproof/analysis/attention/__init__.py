"""The attention of any module: captured as it is computed, measured head by head in blocks of rows."""
