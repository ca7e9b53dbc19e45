"""What the Heroku simulator guarantees, seen over HTTP as its clients see it."""
