"""`python -m statuspage …`: the same as the console script."""

from __future__ import annotations

from app import main

if __name__ == "__main__":
    main()
