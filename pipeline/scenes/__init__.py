"""A scene's files to a look: read, offset, clouds, registration."""
