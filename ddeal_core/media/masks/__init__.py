"""Label maps: reading whatever mask a person has, and writing them."""
