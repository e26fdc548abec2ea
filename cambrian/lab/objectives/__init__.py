"""Pre-training objectives of the lab's encoders: one module per family, one table of all."""
