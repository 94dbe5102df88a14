"""Step 1 of the paper's section 3.3: a small grid search for alpha, beta and gamma at phi 1."""
