"""Speed and memory, measured: `make bench`. Every claim is a ratio of things measured side by side in one run."""
