"""A plan written out: lines of NumPy, native functions, and what compiles, keeps and runs them."""
