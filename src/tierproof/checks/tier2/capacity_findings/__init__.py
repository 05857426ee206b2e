"""What T2-CAPACITY finds: idle experts and units, odd residual streams, collapsed weights."""
