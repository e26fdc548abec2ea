"""Conversations and the batches made of them."""
