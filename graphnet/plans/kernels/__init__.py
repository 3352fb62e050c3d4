"""Steps of a plan as native functions: fused groups, convolutions, pools and products."""
