"""From joules to grams: regions and the carbon intensity of their grids."""
