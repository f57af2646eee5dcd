"""One runnable file per claim; what was measured, and on which machine, is kept in results/."""
