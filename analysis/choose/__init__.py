"""Which encoder and connector to take under a budget, and what to run next."""
