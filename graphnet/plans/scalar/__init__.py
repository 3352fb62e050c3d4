"""exp, log, tanh, sin, pow and their kin as arithmetic, and ops' expressions, over values of the loop language."""
