"""Pictures and the page that explains them, from results that are handed in."""
