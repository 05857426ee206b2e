"""The notebooks' sources in percent format. They are read, never imported: their cells would run."""
