"""Hold the connectors against inputs, weights and outputs recorded from the Cambrian-1 release.

`python -m cambrian.reference FOLDER` checks every vectors file in a folder.
"""
