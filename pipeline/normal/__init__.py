"""What a tile looks like when nothing happened."""
