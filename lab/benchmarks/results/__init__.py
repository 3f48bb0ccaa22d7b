"""Results: JSON records of runs, and the tables, ratios, curves and pages made of them."""
