"""Video in: whatever a user names, as frames in order of display."""
