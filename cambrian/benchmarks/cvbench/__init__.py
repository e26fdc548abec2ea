"""CV-Bench built from the annotations that it was made of, and reviewed by hand.

Tong et al. 2024, "Cambrian-1", section 3.2 and the appendix on CV-Bench, say how questions come from COCO,
ADE20K and Omni3D. Where the paper leaves a number open, `rules` says which one is taken here and why.
"""
