"""The paper's findings as hypotheses, tested on its tables and on own results."""
