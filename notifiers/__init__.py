"""How a message leaves the house. Knows nothing of `statuspage`."""
