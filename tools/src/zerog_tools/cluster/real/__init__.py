"""What a node that runs real images is made of."""
