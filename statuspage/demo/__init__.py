"""The whole story by itself: generated people, real protocols, stand-ins with faults, and an audit of the result."""
