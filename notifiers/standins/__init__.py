"""Providers that run beside a test or a demo, as processes of their own, spoken to through their real protocols."""
