"""The command line of ddeal: parses, calls `ddeal_core`, shows."""
