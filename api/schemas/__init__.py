"""Words on the wire, one module per noun, and nothing else."""
