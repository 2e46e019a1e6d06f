"""Tools that try to break ddeal: a fuzzer, faults injected from outside, and a soak test."""
