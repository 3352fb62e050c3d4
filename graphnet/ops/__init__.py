"""The operations, by room: elementwise, reduce, shape, index, linalg, and the composites written in their terms."""
