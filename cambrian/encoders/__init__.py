"""Vision encoders: images in, a grid of features out."""
