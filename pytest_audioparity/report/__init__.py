"""Results as text and as JSON. A report computes nothing: it shows the numbers that decided."""
