"""Cambrian Sweeps: which vision design makes a better multimodal LLM, and how sure are we?"""
