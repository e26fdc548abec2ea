"""The assembled multimodal LLM."""
