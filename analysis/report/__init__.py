"""One HTML file that shows a whole store: figure, table, comparisons, findings, costs and provenance."""
