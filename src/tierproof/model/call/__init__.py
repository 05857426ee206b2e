"""Works out inputs and outputs: which arguments a forward takes, with which shapes and meaning."""
