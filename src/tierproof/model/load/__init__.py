"""Turns a target (a file, a folder, an import, a hub id, a gist) into one `nn.Module`."""
