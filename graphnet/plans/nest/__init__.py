"""The loop language: kernels as values in memory, lowered to LLVM, run in NumPy, and listed for people."""
